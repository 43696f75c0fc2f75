<?xml version="1.0" encoding="UTF-8"?>
<!-- Any document as a page for people: what has a value is a row, what has parts is a box. Groups, lists and rules have
     words of their own (page-words.xsl). All that a document says goes through value-of, so it stays text; nothing of it
     becomes a link, a style or a name of an element. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:include href="page-words.xsl"/>
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>

  <xsl:param name="auid"/>
  <xsl:param name="owner"/>
  <xsl:param name="name"/>
  <xsl:param name="root-uri"/>

  <xsl:template match="/">
    <html lang="en">
      <head>
        <title>
          <xsl:value-of select="$name"/>
          <xsl:if test="$owner != ''"><xsl:value-of select="concat(' of ', $owner)"/></xsl:if>
        </title>
        <xsl:call-template name="look"/>
      </head>
      <body>
        <header>
          <h1><xsl:value-of select="$name"/></h1>
          <p>
            <code><xsl:value-of select="$auid"/></code>
            <xsl:choose>
              <xsl:when test="$owner != ''"> of <strong><xsl:value-of select="$owner"/></strong></xsl:when>
              <xsl:otherwise> for everybody</xsl:otherwise>
            </xsl:choose>
          </p>
        </header>
        <main>
          <xsl:call-template name="content"/>
        </main>
      </body>
    </html>
  </xsl:template>

  <!-- Sheets that import this one may put something else here. -->
  <xsl:template name="content">
    <xsl:apply-templates select="*"/>
  </xsl:template>

  <!-- The document element needs no box: the page is its box. -->
  <xsl:template match="/*" priority="-0.3">
    <xsl:apply-templates select="." mode="attributes"/>
    <xsl:apply-templates select="*"/>
    <xsl:if test="not(*)">
      <p class="none">
        <xsl:value-of select="normalize-space()"/>
        <xsl:if test="normalize-space() = ''">There is nothing in it.</xsl:if>
      </p>
    </xsl:if>
  </xsl:template>

  <xsl:template match="*" priority="-0.4">
    <xsl:choose>
      <xsl:when test="*">
        <section>
          <h2 class="word"><xsl:apply-templates select="." mode="label"/></h2>
          <xsl:apply-templates select="." mode="attributes"/>
          <xsl:apply-templates select="* | text()[normalize-space() != '']"/>
        </section>
      </xsl:when>
      <xsl:otherwise>
        <div class="row">
          <span class="label"><xsl:apply-templates select="." mode="label"/></span>
          <span class="value">
            <xsl:apply-templates select="." mode="value"/>
            <xsl:for-each select="@*">
              <xsl:text> </xsl:text><span class="chip"><xsl:value-of select="concat(translate(local-name(), '-_', '  '), ' ', .)"/></span>
            </xsl:for-each>
          </span>
        </div>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="text()">
    <span class="text"><xsl:value-of select="normalize-space()"/></span>
  </xsl:template>

  <xsl:template match="*" mode="attributes">
    <xsl:for-each select="@*">
      <div class="row">
        <span class="label"><xsl:value-of select="translate(local-name(), '-_', '  ')"/></span>
        <span class="value"><code><xsl:value-of select="."/></code></span>
      </div>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="*" mode="label">
    <xsl:value-of select="translate(local-name(), '-_', '  ')"/>
    <xsl:if test="parent::* and namespace-uri() != namespace-uri(..) and not(starts-with(namespace-uri(), 'urn:ietf:')) and
        not(starts-with(namespace-uri(), 'urn:oma:'))">
      <small><xsl:value-of select="namespace-uri()"/></small>
    </xsl:if>
  </xsl:template>

  <!-- What looks like an address is shown as one, truth in words. -->
  <xsl:template match="*" mode="value">
    <xsl:variable name="text" select="normalize-space()"/>
    <xsl:variable name="switch" select="starts-with(local-name(), 'allow-') or starts-with(local-name(), 'provide-')"/>
    <xsl:choose>
      <xsl:when test="$text = 'true' or ($text = '1' and $switch)">
        <span class="yes">yes</span>
      </xsl:when>
      <xsl:when test="$text = 'false' or ($text = '0' and $switch)">
        <span class="no">no</span>
      </xsl:when>
      <xsl:when test="contains(substring-before(concat($text, ' '), ' '), ':')"><code><xsl:value-of select="$text"/></code></xsl:when>
      <xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="look">
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <meta name="color-scheme" content="light dark"/>
    <style>
      :root { --ink: #1c2330; --soft: #5a6473; --line: #d9dee6; --paper: #f6f7f9; --card: #fff; --mark: #e8eefb;
        --yes: #14682f; --no: #a3271f; --head: #24457a; }
      @media (prefers-color-scheme: dark) {
        :root { --ink: #e4e8ee; --soft: #a3adbb; --line: #343c48; --paper: #14181e; --card: #1c222b; --mark: #25324a;
          --yes: #7fd69a; --no: #f39a92; --head: #9dbdf2; }
      }
      * { box-sizing: border-box; }
      body { margin: 0 auto; max-width: 52rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
        font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
      header { margin-bottom: 1.5rem; }
      h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; overflow-wrap: anywhere; }
      header p { margin: .35rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
      h2 { margin: 0 0 .5rem; font-size: 1.05rem; line-height: 1.35; color: var(--head); overflow-wrap: anywhere; }
      section { margin: 1rem 0; padding: 1rem 1.15rem; border: 1px solid var(--line); border-radius: .6rem;
        background: var(--card); }
      section section { margin: .75rem 0; }
      .row + h2 { margin-top: 1.25rem; }
      .word::first-letter, .label::first-letter { text-transform: uppercase; }
      .row { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: .15rem 1rem; padding: .3rem 0;
        border-top: 1px solid var(--line); }
      .row:first-of-type { border-top: 0; }
      .label, .soft { color: var(--soft); }
      .value { overflow-wrap: anywhere; min-width: 0; }
      .yes { color: var(--yes); font-weight: 600; }
      .no { color: var(--no); font-weight: 600; }
      .none { color: var(--soft); font-style: italic; }
      .chip { display: inline-block; margin: .1rem .35rem .1rem 0; padding: .05rem .55rem; border-radius: 1rem;
        background: var(--mark); }
      code { font: .92em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
        overflow-wrap: anywhere; }
      small { margin-left: .5rem; color: var(--soft); font-weight: 400; }
      ul, ol { margin: 0; padding: 0; list-style: none; }
      li { padding: .4rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
      li:first-child { border-top: 0; }
      li code { color: var(--soft); }
      img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: .4rem; }
      @media (max-width: 34rem) {
        body { padding-top: 1.25rem; }
        .row { grid-template-columns: 1fr; }
      }
      @media print { body { background: none; } section { break-inside: avoid; } }
    </style>
  </xsl:template>
</xsl:stylesheet>
