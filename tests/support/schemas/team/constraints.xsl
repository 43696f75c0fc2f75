<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:t="urn:example:team"
                exclude-result-prefixes="t">
  <xsl:output method="xml"/>
  <xsl:template match="/">
    <xsl:if test="//t:m[@id = 'nobody']">
      <xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error">
        <constraint-failure phrase="nobody is no member"/>
      </xcap-error>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
