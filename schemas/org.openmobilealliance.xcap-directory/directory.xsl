<?xml version="1.0" encoding="UTF-8"?>
<!-- A folder for each usage, also for one without documents: a client then need not tell an empty folder from a
     missing one. Of a folder that is listed in part, `more` says how many documents are left out. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns="urn:oma:xml:xdm:xcap-directory">
  <xsl:output encoding="UTF-8" indent="yes"/>

  <xsl:template match="/documents">
    <xcap-directory>
      <xsl:for-each select="usage">
        <folder auid="{@auid}">
          <xsl:if test="@more">
            <xsl:attribute name="more-entry-elements"><xsl:value-of select="@more"/></xsl:attribute>
          </xsl:if>
          <xsl:for-each select="document">
            <entry uri="{@uri}" etag="{@etag}" last-modified="{@modified}" size="{@size}"/>
          </xsl:for-each>
        </folder>
      </xsl:for-each>
    </xcap-directory>
  </xsl:template>
</xsl:stylesheet>
