<?xml version="1.0" encoding="UTF-8"?>
<!-- From the list of loaded usages to the capabilities document; aliases are usages to a client. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns="urn:ietf:params:xml:ns:xcap-caps">
  <xsl:output encoding="UTF-8" indent="yes"/>
  <xsl:key name="namespace" match="namespace" use="."/>

  <xsl:template match="/usages">
    <xcap-caps>
      <auids>
        <xsl:for-each select="usage/@auid | usage/alias/@auid">
          <xsl:sort select="."/>
          <auid><xsl:value-of select="."/></auid>
        </xsl:for-each>
      </auids>
      <extensions/>
      <namespaces>
        <xsl:for-each select="usage/namespace[generate-id() = generate-id(key('namespace', .)[1])]">
          <xsl:sort select="."/>
          <namespace><xsl:value-of select="."/></namespace>
        </xsl:for-each>
      </namespaces>
    </xcap-caps>
  </xsl:template>
</xsl:stylesheet>
