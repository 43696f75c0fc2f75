<?xml version="1.0" encoding="UTF-8"?>
<!-- Any document as a page for people: its elements as nested boxes. All that the document says goes through
     value-of, so it stays text; nothing of it becomes a link, a style or a name of an element. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>

  <xsl:param name="auid"/>
  <xsl:param name="owner"/>
  <xsl:param name="name"/>
  <xsl:param name="root-uri"/>

  <xsl:template match="/">
    <html lang="en">
      <head>
        <title><xsl:value-of select="concat($name, ' - ', $auid)"/></title>
        <style>
          body { font: 15px/1.4 sans-serif; margin: 2em; color: #222; }
          h1 { font-size: 1.3em; margin-bottom: 0; }
          p.of { color: #666; margin-top: 0; }
          div { border-left: 2px solid #ccd; margin: .2em 0 .2em .4em; padding-left: .8em; }
          b { font-weight: 600; color: #246; }
          i { font-style: normal; color: #666; }
          small { color: #999; }
        </style>
      </head>
      <body>
        <h1><xsl:value-of select="$name"/></h1>
        <p class="of">
          <xsl:value-of select="$auid"/>
          <xsl:if test="$owner != ''"><xsl:value-of select="concat(' of ', $owner)"/></xsl:if>
        </p>
        <xsl:apply-templates select="*"/>
      </body>
    </html>
  </xsl:template>

  <xsl:template match="*">
    <div>
      <b><xsl:value-of select="local-name()"/></b>
      <xsl:if test="not(parent::*) or namespace-uri() != namespace-uri(..)">
        <xsl:text> </xsl:text><small><xsl:value-of select="namespace-uri()"/></small>
      </xsl:if>
      <xsl:for-each select="@*">
        <xsl:text> </xsl:text><i><xsl:value-of select="local-name()"/>=</i><xsl:value-of select="."/>
      </xsl:for-each>
      <xsl:apply-templates select="* | text()[normalize-space() != '']"/>
    </div>
  </xsl:template>

  <xsl:template match="text()"><xsl:text> </xsl:text><span><xsl:value-of select="."/></span></xsl:template>
</xsl:stylesheet>
