<?xml version="1.0" encoding="UTF-8"?>
<!-- How people say what stands in lists, groups and rules. For page.xsl, whose templates do the rest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:rl="urn:ietf:params:xml:ns:resource-lists" xmlns:rls="urn:ietf:params:xml:ns:rls-services"
    xmlns:ls="urn:oma:xml:poc:list-service" xmlns:cp="urn:ietf:params:xml:ns:common-policy"
    xmlns:ocp="urn:oma:xml:xdm:common-policy" xmlns:dir="urn:oma:xml:xdm:xcap-directory"
    xmlns:caps="urn:ietf:params:xml:ns:xcap-caps" exclude-result-prefixes="rl rls ls cp ocp dir caps">

  <!-- Lists -->

  <xsl:template match="rl:list | rls:list | ls:list">
    <xsl:variable name="people" select="rl:entry | ls:entry | rl:entry-ref | rl:external | ls:external"/>
    <section>
      <h2>
        <xsl:choose>
          <xsl:when test="rl:display-name"><xsl:value-of select="rl:display-name"/></xsl:when>
          <xsl:when test="@name"><xsl:value-of select="@name"/></xsl:when>
          <xsl:when test="self::ls:list">Members</xsl:when>
          <xsl:otherwise>List</xsl:otherwise>
        </xsl:choose>
        <small>
          <xsl:if test="rl:display-name and @name"><xsl:value-of select="concat(@name, ', ')"/></xsl:if>
          <xsl:value-of select="count($people)"/>
          <xsl:choose>
            <xsl:when test="count($people) = 1"> entry</xsl:when>
            <xsl:otherwise> entries</xsl:otherwise>
          </xsl:choose>
          <xsl:apply-templates select="@* | rl:display-name/@*" mode="chip"/>
        </small>
      </h2>
      <xsl:if test="$people"><ul><xsl:apply-templates select="$people"/></ul></xsl:if>
      <xsl:if test="not(*[not(self::rl:display-name)])"><p class="none">Nobody is in it.</p></xsl:if>
      <xsl:apply-templates select="*[not(self::rl:entry or self::ls:entry or self::rl:entry-ref or self::rl:external or
          self::ls:external or self::rl:display-name)]"/>
    </section>
  </xsl:template>

  <xsl:template match="rl:entry | ls:entry | rl:entry-ref | rl:external | ls:external">
    <li>
      <xsl:if test="rl:display-name">
        <strong><xsl:value-of select="rl:display-name"/></strong><xsl:text> </xsl:text>
      </xsl:if>
      <xsl:if test="self::rl:entry-ref"><span class="soft">whoever stands at </span></xsl:if>
      <xsl:if test="self::rl:external or self::ls:external"><span class="soft">all of the list </span></xsl:if>
      <code><xsl:value-of select="concat(@uri, @ref, @anchor)"/></code>
      <xsl:apply-templates select="@* | rl:display-name/@*" mode="chip"/>
      <xsl:apply-templates select="*[not(self::rl:display-name)]"/>
    </li>
  </xsl:template>

  <xsl:template match="@uri | @ref | @anchor | @name | @id" mode="chip"/>
  <xsl:template match="@*" mode="chip">
    <xsl:text> </xsl:text>
    <span class="chip"><xsl:value-of select="concat(translate(local-name(), '-_', '  '), ' ', .)"/></span>
  </xsl:template>

  <xsl:template match="ls:list-service">
    <section>
      <h2>
        <xsl:value-of select="ls:display-name"/>
        <xsl:if test="not(ls:display-name)">Group</xsl:if>
        <small><xsl:value-of select="@uri"/></small>
        <xsl:apply-templates select="@* | ls:display-name/@*" mode="chip"/>
      </h2>
      <xsl:apply-templates select="ls:*[not(self::ls:display-name)]"/>
      <xsl:apply-templates select="*[namespace-uri() != 'urn:oma:xml:poc:list-service']"/>
    </section>
  </xsl:template>

  <xsl:template match="rls:service">
    <section>
      <h2><xsl:value-of select="@uri"/><xsl:apply-templates select="@*" mode="chip"/></h2>
      <xsl:apply-templates select="*"/>
    </section>
  </xsl:template>

  <!-- Rules -->

  <xsl:template match="cp:ruleset">
    <xsl:if test="parent::*"><h2>Rules</h2></xsl:if>
    <xsl:apply-templates select="*"/>
    <xsl:if test="not(*)"><p class="none">There are no rules.</p></xsl:if>
  </xsl:template>

  <xsl:template match="cp:rule">
    <section>
      <h2><xsl:value-of select="@id"/></h2>
      <div class="row">
        <span class="label">for</span>
        <span class="value">
          <xsl:apply-templates select="cp:conditions/*" mode="who"/>
          <xsl:if test="not(cp:conditions/*)">everybody</xsl:if>
        </span>
      </div>
      <xsl:apply-templates select="cp:actions/* | cp:transformations/*"/>
      <xsl:if test="not(cp:actions/* | cp:transformations/*)"><p class="none">It grants nothing.</p></xsl:if>
    </section>
  </xsl:template>

  <xsl:template match="cp:identity" mode="who"><xsl:apply-templates select="*" mode="who"/></xsl:template>

  <xsl:template match="cp:one" mode="who">
    <span class="chip"><code><xsl:value-of select="@id"/></code></span>
    <xsl:apply-templates select="*" mode="who"/>
  </xsl:template>

  <xsl:template match="cp:many" mode="who">
    <span class="chip">
      <xsl:choose>
        <xsl:when test="@domain">everybody of <code><xsl:value-of select="@domain"/></code></xsl:when>
        <xsl:otherwise>everybody who is known</xsl:otherwise>
      </xsl:choose>
      <xsl:for-each select="cp:except"> but <code><xsl:value-of select="concat(@id, @domain)"/></code></xsl:for-each>
    </span>
    <xsl:apply-templates select="*[not(self::cp:except)]" mode="who"/>
  </xsl:template>

  <xsl:template match="cp:validity" mode="who">
    <xsl:for-each select="cp:from">
      <span class="chip">
        <xsl:value-of select="concat('from ', ., ' until ', following-sibling::cp:until[1])"/>
      </span>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="cp:sphere" mode="who"><span class="chip">while at <xsl:value-of select="@value"/></span></xsl:template>
  <xsl:template match="ocp:other-identity" mode="who"><span class="chip">everybody else</span></xsl:template>
  <xsl:template match="ocp:anonymous-request" mode="who"><span class="chip">who hides the name</span></xsl:template>
  <xsl:template match="ls:is-list-member" mode="who"><span class="chip">members</span></xsl:template>

  <xsl:template match="ocp:external-list" mode="who">
    <xsl:for-each select="ocp:entry">
      <span class="chip">all of the list <code><xsl:value-of select="@anc"/></code></span>
      <xsl:apply-templates select="@*[name() != 'anc']" mode="chip"/>
    </xsl:for-each>
  </xsl:template>

  <!-- any other condition: its name, and what its parts say -->
  <xsl:template match="*" mode="who">
    <span class="chip">
      <xsl:value-of select="translate(local-name(), '-_', '  ')"/>
      <xsl:for-each select="descendant::node() | descendant-or-self::*/@*">
        <xsl:if test="local-name()"><xsl:value-of select="concat(' ', translate(local-name(), '-_', '  '))"/></xsl:if>
        <xsl:if test="not(self::*) and not(self::comment())"><xsl:value-of select="concat(' ', normalize-space())"/></xsl:if>
      </xsl:for-each>
    </span>
  </xsl:template>

  <!-- What a user has, and what a server can do -->

  <xsl:template match="dir:xcap-directory">
    <xsl:apply-templates select="dir:folder[*]"/>
    <xsl:if test="dir:folder[not(*)]">
      <section>
        <h2>Nothing in</h2>
        <xsl:for-each select="dir:folder[not(*)]"><span class="chip"><xsl:value-of select="@auid"/></span></xsl:for-each>
      </section>
    </xsl:if>
  </xsl:template>

  <xsl:template match="dir:folder">
    <section>
      <h2><xsl:value-of select="@auid"/></h2>
      <ul>
        <xsl:for-each select="dir:entry">
          <li>
            <code><xsl:value-of select="@uri"/></code>
            <br/>
            <span class="soft">
              <xsl:value-of select="concat('tag ', @etag)"/>
              <xsl:if test="@size"><xsl:value-of select="concat(', ', @size, ' bytes')"/></xsl:if>
              <xsl:if test="@last-modified">
                <xsl:value-of select="concat(', of ', translate(substring(@last-modified, 1, 19), 'T', ' '), ' UTC')"/>
              </xsl:if>
            </span>
          </li>
        </xsl:for-each>
      </ul>
      <xsl:apply-templates select="dir:error-code"/>
    </section>
  </xsl:template>

  <xsl:template match="caps:auids | caps:namespaces | caps:extensions">
    <xsl:if test="*">
      <section>
        <h2>
          <xsl:choose>
            <xsl:when test="self::caps:auids">Document services</xsl:when>
            <xsl:when test="self::caps:namespaces">Namespaces</xsl:when>
            <xsl:otherwise>Extensions</xsl:otherwise>
          </xsl:choose>
        </h2>
        <ul><xsl:for-each select="*"><li><code><xsl:value-of select="."/></code></li></xsl:for-each></ul>
      </section>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
