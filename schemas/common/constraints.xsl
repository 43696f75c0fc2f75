<?xml version="1.0" encoding="UTF-8"?>
<!-- What constraint sheets share: the xcap-error documents (RFC 4825 §11), repeated values, and rules for URIs. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:ietf:params:xml:ns:xcap-error"
    xmlns:c="urn:xdm:constraints" xmlns:func="http://exslt.org/functions" xmlns:set="http://exslt.org/sets"
    extension-element-prefixes="func" exclude-result-prefixes="c set">
  <xsl:output encoding="UTF-8" omit-xml-declaration="yes"/>

  <xsl:param name="owner"/>
  <xsl:param name="name"/>
  <xsl:param name="root-uri"/>
  <xsl:param name="addresses"/>

  <xsl:variable name="upper">ABCDEFGHIJKLMNOPQRSTUVWXYZ</xsl:variable>
  <xsl:variable name="lower">abcdefghijklmnopqrstuvwxyz</xsl:variable>

  <!-- Text of the document reaches the answer through templates that ask for it, never by itself. -->
  <xsl:template match="text()"/>

  <xsl:template name="constraint-failure">
    <xsl:param name="phrase"/>
    <xcap-error><constraint-failure phrase="{$phrase}"/></xcap-error>
  </xsl:template>

  <!-- 403 instead of 409 -->
  <xsl:template name="forbidden">
    <xsl:param name="phrase"/>
    <c:forbidden phrase="{$phrase}"/>
  </xsl:template>

  <!-- `at` is the attribute that repeats another one's value. -->
  <xsl:template name="uniqueness-failure">
    <xsl:param name="at"/>
    <xsl:param name="phrase"/>
    <xcap-error>
      <uniqueness-failure phrase="{$phrase}">
        <exists>
          <xsl:attribute name="field"><xsl:apply-templates select="$at" mode="field"/></xsl:attribute>
        </exists>
      </uniqueness-failure>
    </xcap-error>
  </xsl:template>

  <!-- Node selector from the document element down, percent-encoded; a step outside its namespace needs no prefix when
       it counts all elements. -->
  <xsl:template match="@*" mode="field">
    <xsl:for-each select="ancestor::*">
      <xsl:choose>
        <xsl:when test="not(parent::*)"><xsl:value-of select="local-name()"/></xsl:when>
        <xsl:when test="namespace-uri() = namespace-uri(/*)">
          <xsl:variable name="own" select="local-name()"/>
          <xsl:value-of select="concat($own, '%5B', 1 + count(preceding-sibling::*[local-name() = $own and
              namespace-uri() = namespace-uri(/*)]), '%5D')"/>
        </xsl:when>
        <xsl:otherwise>
          <xsl:value-of select="concat('*%5B', 1 + count(preceding-sibling::*), '%5D')"/>
        </xsl:otherwise>
      </xsl:choose>
      <xsl:text>/</xsl:text>
    </xsl:for-each>
    <xsl:value-of select="concat('@', local-name())"/>
  </xsl:template>

  <!-- The first of these nodes that has the value of an earlier one, or nothing. Counting comes first: it is cheap, and
       all that is done for documents as they should be. -->
  <func:function name="c:repeated">
    <xsl:param name="nodes"/>
    <xsl:choose>
      <xsl:when test="count($nodes) &lt; 2 or count($nodes) = count(set:distinct($nodes))">
        <func:result select="/.."/>
      </xsl:when>
      <xsl:otherwise>
        <func:result select="set:difference($nodes, set:distinct($nodes))[1]"/>
      </xsl:otherwise>
    </xsl:choose>
  </func:function>

  <!-- A path below the root: no scheme, no host, no leading slash (RFC 4826 §3.4.5). -->
  <func:function name="c:is-relative-path">
    <xsl:param name="uri"/>
    <func:result select="string($uri) != '' and not(starts-with($uri, '/')) and
        not(contains(substring-before(concat($uri, '/'), '/'), ':'))"/>
  </func:function>

  <!-- Any address of the owner. His are canonical: the host in lower case, a number without the marks that make it
       easier to read. -->
  <func:function name="c:is-owner">
    <xsl:param name="address"/>
    <xsl:variable name="canonical">
      <xsl:choose>
        <xsl:when test="starts-with($address, 'tel:')"><xsl:value-of select="translate($address, '-.()', '')"/></xsl:when>
        <xsl:otherwise>
          <xsl:value-of select="concat(substring-before($address, '@'), '@',
              translate(substring-after($address, '@'), $upper, $lower))"/>
        </xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <func:result select="$address = $owner or $canonical = $owner or (not(contains($canonical, ' ')) and
        contains(concat(' ', $addresses, ' '), concat(' ', $canonical, ' ')))"/>
  </func:function>

  <func:function name="c:is-http">
    <xsl:param name="uri"/>
    <xsl:variable name="scheme" select="translate(substring-before($uri, '://'), 'HTPS', 'htps')"/>
    <xsl:variable name="rest" select="substring-after($uri, '://')"/>
    <func:result select="($scheme = 'http' or $scheme = 'https') and $rest != '' and not(starts-with($rest, '/'))"/>
  </func:function>
</xsl:stylesheet>
