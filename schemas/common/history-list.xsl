<?xml version="1.0" encoding="UTF-8"?>
<!-- Records of messages as a history list. What is not known of one is left out. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns="urn:oma:xml:im:history-list">
  <xsl:output encoding="UTF-8" indent="yes"/>

  <xsl:template match="/records">
    <history-list>
      <xsl:for-each select="record">
        <history history-reference="{@reference}">
          <size><xsl:value-of select="@size"/></size>
          <expiry><xsl:value-of select="@until"/></expiry>
          <xsl:if test="@subject"><subject><xsl:value-of select="@subject"/></subject></xsl:if>
          <date><xsl:value-of select="@date"/></date>
          <pager>
            <time-stamp><xsl:value-of select="@date"/></time-stamp>
            <xsl:if test="@from"><from><xsl:value-of select="@from"/></from></xsl:if>
            <xsl:if test="@to"><to><xsl:value-of select="@to"/></to></xsl:if>
            <xsl:if test="recipient or @group">
              <recipient-list>
                <xsl:for-each select="recipient"><entry uri="{@uri}"/></xsl:for-each>
                <xsl:if test="@group"><group-uri><xsl:value-of select="@group"/></group-uri></xsl:if>
                <xsl:if test="@group-name">
                  <group-display-name><xsl:value-of select="@group-name"/></group-display-name>
                </xsl:if>
              </recipient-list>
            </xsl:if>
          </pager>
        </history>
      </xsl:for-each>
    </history-list>
  </xsl:template>
</xsl:stylesheet>
