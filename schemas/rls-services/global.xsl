<?xml version="1.0" encoding="UTF-8"?>
<!-- The services of all users in one document (RFC 4826 §4.4.8). Each brings the namespaces along that were in force
     where it stood. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns="urn:ietf:params:xml:ns:rls-services" xmlns:rls="urn:ietf:params:xml:ns:rls-services"
    exclude-result-prefixes="rls">
  <xsl:output encoding="UTF-8"/>

  <xsl:template match="/documents">
    <rls-services><xsl:text>&#10;</xsl:text>
      <xsl:for-each select="document/rls:rls-services/rls:service">
        <xsl:copy-of select="."/><xsl:text>&#10;</xsl:text>
      </xsl:for-each>
    </rls-services>
  </xsl:template>
</xsl:stylesheet>
