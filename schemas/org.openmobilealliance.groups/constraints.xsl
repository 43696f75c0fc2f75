<?xml version="1.0" encoding="UTF-8"?>
<!-- A member stands in a group once, and lists kept elsewhere are named by HTTP URIs. That the address of a group is
     unique in the whole server is said in the manifest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:ls="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
    exclude-result-prefixes="c ls rl">
  <xsl:include href="../common/constraints.xsl"/>

  <xsl:variable name="repeated-in" select="(//ls:list-service/ls:list[c:repeated(ls:entry/@uri | rl:entry/@uri) or
      c:repeated(ls:external/@anchor | rl:external/@anchor)])[1]"/>
  <xsl:variable name="external" select="//ls:list/ls:external | //ls:list/rl:external"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="$repeated-in"><xsl:apply-templates select="$repeated-in" mode="repeated"/></xsl:when>
      <xsl:when test="$external[not(c:is-http(@anchor))]">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">external needs an anchor that is an absolute HTTP URI</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="ls:list" mode="repeated">
    <xsl:variable name="at" select="(c:repeated(ls:entry/@uri | rl:entry/@uri) |
        c:repeated(ls:external/@anchor | rl:external/@anchor))[1]"/>
    <xsl:call-template name="uniqueness-failure">
      <xsl:with-param name="at" select="$at"/>
      <xsl:with-param name="phrase" select="concat($at, ' is in the list twice')"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
