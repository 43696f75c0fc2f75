<?xml version="1.0" encoding="UTF-8"?>
<!-- Rules that a phone can show: one condition on who asks, details only where something is shown, lists of one's
     own. The phrases are those that clients know. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules"
    xmlns:ocp="urn:oma:xml:xdm:common-policy" exclude-result-prefixes="c cp pr ocp">
  <xsl:include href="../common/constraints.xsl"/>
  <xsl:include href="../common/own-list.xsl"/>

  <xsl:variable name="rules" select="/cp:ruleset/cp:rule"/>
  <xsl:variable name="entries" select="$rules/cp:conditions/ocp:external-list/ocp:entry"/>
  <xsl:variable name="foreign-list" select="($entries[not(c:is-own-list(@anc, false()))])[1]"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="$rules/cp:conditions[count(cp:identity | ocp:external-list | ocp:other-identity |
          ocp:anonymous-request) &gt; 1]">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">Complex rules are not allowed</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
      <xsl:when test="$rules[cp:transformations and not(normalize-space(cp:actions/pr:sub-handling) = 'allow')]">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">transformations element not allowed</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
      <xsl:when test="$foreign-list">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase" select="concat('external-list must name own lists: ', $foreign-list/@anc)"/>
        </xsl:call-template>
      </xsl:when>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
