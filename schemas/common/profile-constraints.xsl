<?xml version="1.0" encoding="UTF-8"?>
<!-- For both kinds of profile: it speaks of its owner. The host of an address has no case; the owner comes in
     canonical form. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:up="urn:oma:xml:xdm:user-profile" exclude-result-prefixes="up">
  <xsl:include href="constraints.xsl"/>

  <xsl:variable name="uri" select="/up:user-profiles/up:user-profile/@uri"/>
  <xsl:variable name="host" select="translate(substring-after($uri, '@'), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
      'abcdefghijklmnopqrstuvwxyz')"/>

  <xsl:template match="/">
    <xsl:if test="$owner != '' and $uri != $owner and concat(substring-before($uri, '@'), '@', $host) != $owner">
      <xsl:call-template name="constraint-failure">
        <!-- clients know these words -->
        <xsl:with-param name="phrase">Wrong User Profile URI</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
