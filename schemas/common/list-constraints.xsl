<?xml version="1.0" encoding="UTF-8"?>
<!-- The rules of resource lists that a schema cannot say (RFC 4826 §3.4.5), for all usages that hold such lists. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:rl="urn:ietf:params:xml:ns:resource-lists" exclude-result-prefixes="c rl">

  <!-- Names and addresses are unique among their siblings, compared as strings. -->
  <xsl:variable name="repeated-in" select="(//*[self::rl:list or self::rl:resource-lists][c:repeated(rl:list/@name) or
      c:repeated(rl:entry/@uri) or c:repeated(rl:entry-ref/@ref) or c:repeated(rl:external/@anchor)])[1]"/>

  <xsl:template name="list-uniqueness">
    <xsl:for-each select="$repeated-in">
      <xsl:variable name="at" select="(c:repeated(rl:list/@name) | c:repeated(rl:entry/@uri) |
          c:repeated(rl:entry-ref/@ref) | c:repeated(rl:external/@anchor))[1]"/>
      <xsl:call-template name="uniqueness-failure">
        <xsl:with-param name="at" select="$at"/>
        <xsl:with-param name="phrase"
            select="concat(local-name($at/..), ' with ', local-name($at), ' &quot;', $at, '&quot; is there twice')"/>
      </xsl:call-template>
    </xsl:for-each>
  </xsl:template>

  <xsl:variable name="bad-reference" select="(//rl:entry-ref[not(c:is-relative-path(@ref))] |
      //rl:external[not(c:is-http(@anchor))])[1]"/>

  <xsl:template name="list-references">
    <xsl:for-each select="$bad-reference">
      <xsl:call-template name="constraint-failure">
        <xsl:with-param name="phrase">
          <xsl:choose>
            <xsl:when test="self::rl:entry-ref">
              <xsl:value-of select="concat('ref of entry-ref must be a path relative to the XCAP root: ', @ref)"/>
            </xsl:when>
            <xsl:when test="not(@anchor)">external needs an anchor</xsl:when>
            <xsl:otherwise>
              <xsl:value-of select="concat('anchor of external must be an absolute HTTP URI: ', @anchor)"/>
            </xsl:otherwise>
          </xsl:choose>
        </xsl:with-param>
      </xsl:call-template>
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
