<?xml version="1.0" encoding="UTF-8"?>
<!-- For both kinds of profile: it speaks of its owner. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:up="urn:oma:xml:xdm:user-profile" exclude-result-prefixes="c up">
  <xsl:include href="constraints.xsl"/>

  <xsl:template match="/">
    <xsl:if test="$owner != '' and not(c:is-owner(string(/up:user-profiles/up:user-profile/@uri)))">
      <xsl:call-template name="constraint-failure">
        <!-- clients know these words -->
        <xsl:with-param name="phrase">Wrong User Profile URI</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
