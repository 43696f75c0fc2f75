<?xml version="1.0" encoding="UTF-8"?>
<!-- RFC 4826 §4.4.5: the list of a service is the owner's and stands under the same root, and a list inside a
     service obeys the rules of all lists. That a service's address is unique is said in the manifest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:rls="urn:ietf:params:xml:ns:rls-services" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
    exclude-result-prefixes="c rls rl">
  <xsl:import href="../common/list-constraints.xsl"/>
  <xsl:include href="../common/constraints.xsl"/>
  <xsl:include href="../common/own-list.xsl"/>

  <!-- the outermost list has the namespace of services -->
  <xsl:variable name="repeated-in" select="(//*[self::rl:list or self::rls:list][c:repeated(rl:list/@name) or
      c:repeated(rl:entry/@uri) or c:repeated(rl:entry-ref/@ref) or c:repeated(rl:external/@anchor)])[1]"/>
  <xsl:variable name="lists" select="/rls:rls-services/rls:service/rls:resource-list"/>
  <xsl:variable name="foreign-list" select="($lists[not(c:is-own-list(., true()))])[1]"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="$repeated-in"><xsl:call-template name="list-uniqueness"/></xsl:when>
      <xsl:when test="$foreign-list">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase" select="concat('resource-list must be a list of the same owner and XCAP root: ',
              normalize-space($foreign-list))"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="list-references"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
