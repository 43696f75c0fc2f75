<?xml version="1.0" encoding="UTF-8"?>
<!-- The picture itself. The type is one of those that the constraints let in, so the address of the picture holds
     base64 and nothing else. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:p="urn:oma:xml:prs:pres-content" exclude-result-prefixes="p">
  <xsl:import href="../common/page.xsl"/>

  <xsl:template name="content">
    <xsl:variable name="type" select="translate(normalize-space(p:content/p:mime-type), 'AEFGIJMNP', 'aefgijmnp')"/>
    <xsl:variable name="data" select="translate(p:content/p:data, '&#9;&#10;&#13; ', '')"/>
    <section>
      <p><img alt="{p:content/p:description[1]}" src="data:{$type};base64,{$data}"/></p>
      <xsl:for-each select="p:content/p:description"><p><xsl:value-of select="."/></p></xsl:for-each>
    </section>
  </xsl:template>
</xsl:stylesheet>
