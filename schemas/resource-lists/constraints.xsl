<?xml version="1.0" encoding="UTF-8"?>
<!-- RFC 4826 §3.4.5, uniqueness before the rest (RFC 4825 §8.2.5). -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="../common/constraints.xsl"/>
  <xsl:include href="../common/list-constraints.xsl"/>

  <xsl:template match="/">
    <xsl:choose>
      <xsl:when test="$repeated-in"><xsl:call-template name="list-uniqueness"/></xsl:when>
      <xsl:otherwise><xsl:call-template name="list-references"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
