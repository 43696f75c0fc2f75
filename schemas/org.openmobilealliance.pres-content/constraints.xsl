<?xml version="1.0" encoding="UTF-8"?>
<!-- What phones can show. The phrases are those that clients know. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:p="urn:oma:xml:prs:pres-content" exclude-result-prefixes="p">
  <xsl:include href="../common/constraints.xsl"/>

  <!-- of the picture: with a third more for base64 it still fits the document -->
  <xsl:variable name="bytes-max" select="307200"/>

  <xsl:variable name="type" select="translate(normalize-space(/p:content/p:mime-type), 'AEFGIJMNP', 'aefgijmnp')"/>
  <xsl:variable name="encoding" select="translate(normalize-space(/p:content/p:encoding), 'ABES', 'abes')"/>
  <!-- only white space and the alphabet of base64 -->
  <xsl:variable name="strange" select="translate(/p:content/p:data,
      'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=&#9;&#10;&#13; ', '')"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="p:content/p:mime-type and not(contains(' image/png image/jpeg image/gif ',
          concat(' ', $type, ' ')) and $type != '')">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">Unsupported MIME type</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
      <xsl:when test="(p:content/p:encoding and $encoding != 'base64') or $strange != ''">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase">Unsupported encoding</xsl:with-param>
        </xsl:call-template>
      </xsl:when>
      <xsl:when test="string-length(translate(p:content/p:data, '=&#9;&#10;&#13; ', '')) * 3 &gt; 4 * $bytes-max">
        <xsl:call-template name="constraint-failure">
          <xsl:with-param name="phrase"
              select="concat('Size limit exceeded, maximum allowed size is ', $bytes-max, ' bytes')"/>
        </xsl:call-template>
      </xsl:when>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
