<?xml version="1.0" encoding="UTF-8"?>
<!-- Is this URI, taken as a string, a resource list of the document's owner below the same XCAP root? Nothing is
     fetched. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:xdm:constraints"
    xmlns:func="http://exslt.org/functions" xmlns:str="http://exslt.org/strings"
    extension-element-prefixes="func str" exclude-result-prefixes="c">

  <!-- Scheme and host have no case. -->
  <func:function name="c:authority">
    <xsl:param name="uri"/>
    <xsl:variable name="rest" select="substring-after($uri, '://')"/>
    <func:result select="translate(concat(substring-before($uri, '://'), '://',
        substring-before(concat($rest, '/'), '/')), $upper, $lower)"/>
  </func:function>

  <func:function name="c:path">
    <xsl:param name="uri"/>
    <func:result select="concat('/', substring-after(substring-after($uri, '://'), '/'))"/>
  </func:function>

  <!-- `shared`: lists of the global tree too. -->
  <func:function name="c:is-own-list">
    <xsl:param name="uri"/>
    <xsl:param name="shared"/>
    <xsl:variable name="written" select="normalize-space($uri)"/>
    <xsl:variable name="root" select="c:path($root-uri)"/>
    <xsl:variable name="path" select="substring-after(c:path($written), concat($root, 'resource-lists/'))"/>
    <xsl:variable name="user" select="str:decode-uri(substring-before(substring-after($path, 'users/'), '/'))"/>
    <func:result select="c:is-http($written) and not(contains($written, '/../')) and
        ($root-uri = '' or (c:authority($written) = c:authority($root-uri) and
            starts-with(c:path($written), concat($root, 'resource-lists/')))) and
        (($root-uri = '' and contains($written, '/resource-lists/')) or
            ($shared and starts-with($path, 'global/') and substring-after($path, 'global/') != '') or
            (starts-with($path, 'users/') and ($owner = '' or c:is-owner($user)) and
                substring-after(substring-after($path, 'users/'), '/') != ''))"/>
  </func:function>
</xsl:stylesheet>
