<?xml version="1.0" encoding="UTF-8"?>
<!-- A presence document speaks of its owner; "pres:" names the same user as "sip:". Another one's presence is
     forbidden and no conflict (OMA Presence XDM). -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:p="urn:ietf:params:xml:ns:pidf" exclude-result-prefixes="c p">
  <xsl:include href="../common/constraints.xsl"/>
  <xsl:include href="../common/own-list.xsl"/>

  <xsl:variable name="entity" select="normalize-space(/p:presence/@entity)"/>

  <xsl:template match="/">
    <xsl:if test="$owner != '' and not(c:is-owner($entity)) and not(starts-with($entity, 'pres:') and
        c:is-owner(concat('sip:', substring-after($entity, ':'))))">
      <xsl:call-template name="forbidden">
        <xsl:with-param name="phrase">The entity of a presence document must be its owner.</xsl:with-param>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
