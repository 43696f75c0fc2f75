<?xml version="1.0" encoding="UTF-8"?>
<!-- A list of groups has named lists of plain entries only. The phrases are those that clients know. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:rl="urn:ietf:params:xml:ns:resource-lists" exclude-result-prefixes="rl">
  <xsl:include href="../common/constraints.xsl"/>
  <xsl:include href="../common/list-constraints.xsl"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="$repeated-in"><xsl:call-template name="list-uniqueness"/></xsl:when>
      <xsl:when test="//rl:list[not(@name)]">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">Name attribute is required.</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
      <xsl:when test="//rl:entry-ref or //rl:external">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">Not allowed</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
