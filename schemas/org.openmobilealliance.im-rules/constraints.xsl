<?xml version="1.0" encoding="UTF-8"?>
<!-- Offline storage is granted by an attribute or, as many clients write it, by content: one of the two must say
     so. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:oxe="urn:oma:xml:xdm:extensions" exclude-result-prefixes="oxe">
  <xsl:include href="../common/constraints.xsl"/>

  <xsl:variable name="silent" select="//oxe:allow-offline-storage[not(@oxe:allow)]
      [not(contains(' true false 1 0 ', concat(' ', normalize-space(), ' '))) or normalize-space() = '']"/>

  <xsl:template match="/">
    <xsl:if test="$silent">
      <xsl:call-template name="constraint-failure">
        <xsl:with-param name="phrase">allow-offline-storage must be true or false</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
