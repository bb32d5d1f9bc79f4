"""The words for what an agent file declares, in English and Japanese: for notices, disclosures and tables.

Labels of keys, purposes and honoured measures; one table, so that every published page calls a thing by the
same name. Pure: imports the vocabulary and the models only.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.agents_model import Honour
from policies.vocabulary import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One name in both languages."""

    en: str
    ja: str


PURPOSES: dict[Purpose, Label] = {
    Purpose.AI_TRAINING: Label(en="Training of AI models", ja="AI モデルの学習"),
    Purpose.AI_INPUT: Label(
        en="Input to AI answers (reference, grounding)", ja="AI の回答への入力(参照・検索拡張)"
    ),
    Purpose.SEARCH: Label(en="Search index", ja="検索インデックス"),
    Purpose.ARCHIVE: Label(en="Archiving", ja="保存・アーカイブ"),
    Purpose.RESEARCH: Label(en="Research", ja="研究"),
}

HONOURS: dict[Honour, Label] = {
    Honour.ROBOTS_TXT: Label(en="robots.txt (RFC 9309)", ja="robots.txt(RFC 9309)"),
    Honour.CRAWL_DELAY: Label(en="Crawl-delay in robots.txt", ja="robots.txt の Crawl-delay"),
    Honour.ACCESS_RESTRICTIONS: Label(
        en="Access restrictions (HTTP 401, 402, 403, 407)", ja="アクセス制限(HTTP 401、402、403、407)"
    ),
    Honour.LOGIN_WALLS: Label(en="Pages behind a login", ja="ログインが必要なページ"),
    Honour.PAYWALLS: Label(en="Declared paywalls", ja="宣言されたペイウォール(有料記事)"),
    Honour.LEGAL_BLOCKS: Label(en="Legal blocks (HTTP 451)", ja="法的理由による遮断(HTTP 451)"),
    Honour.PIRACY_LISTS: Label(en="Piracy domains are left out", ja="海賊版サイトのドメインの除外"),
    Honour.RATE_AND_HOURS: Label(
        en="Request-rate and Visit-time in robots.txt, Retry-After",
        ja="robots.txt の Request-rate と Visit-time、Retry-After",
    ),
    Honour.USAGE_PREFERENCES: Label(
        en="Usage preferences (AIPREF Content-Usage, in robots.txt and headers)",
        ja="利用に関する意思表示(AIPREF Content-Usage、robots.txt とヘッダー)",
    ),
    Honour.CONTENT_SIGNALS: Label(
        en="Content Signals (Content-Signal, in robots.txt and headers)",
        ja="Content Signals(Content-Signal、robots.txt とヘッダー)",
    ),
    Honour.TDM_RESERVATIONS: Label(
        en="Reservations of text and data mining (TDMRep: tdmrep.json, headers, pages)",
        ja="テキスト・データマイニングの権利留保(TDMRep:tdmrep.json、ヘッダー、ページ)",
    ),
    Honour.RSL_LICENCES: Label(
        en="Licence terms in RSL (robots.txt, headers, pages, feeds)",
        ja="RSL によるライセンス条件(robots.txt、ヘッダー、ページ、フィード)",
    ),
    Honour.AI_TXT: Label(en="ai.txt", ja="ai.txt"),
    Honour.TRUST_TXT: Label(en="trust.txt (datatrainingallowed)", ja="trust.txt(datatrainingallowed)"),
    Honour.ROBOTS_METAS: Label(
        en="X-Robots-Tag and robots metas (noindex, noarchive, nosnippet, nofollow…), Noindex in robots.txt",
        ja=(
            "X-Robots-Tag と robots メタタグ(noindex、noarchive、nosnippet、nofollow など)、"
            "robots.txt の Noindex"
        ),
    ),
    Honour.NOAI: Label(en="noai and noimageai", ja="noai と noimageai"),
    Honour.ASSET_RIGHTS: Label(
        en="Rights declared inside image files (PLUS, CAWG, TDM)",
        ja="画像ファイル内の権利表示(PLUS、CAWG、TDM)",
    ),
    Honour.AI_AGENT_BLOCKS: Label(
        en="Blocks aimed at AI agents as a class, and other robots.txt lines against AI use",
        ja="AI エージェント全般に向けた拒否、および AI 利用を拒む robots.txt のその他の行",
    ),
}

#: Dotted keys of an agent file; items of `third_party_crawlers` are labelled without their index.
FIELDS: dict[str, Label] = {
    "schema": Label(en="Format of the file", ja="ファイル形式"),
    "token": Label(en="Product token", ja="プロダクトトークン"),
    "version": Label(en="Version", ja="バージョン"),
    "effective_from": Label(en="Effective from", ja="適用開始日"),
    "user_agent": Label(en="User-Agent", ja="User-Agent"),
    "purposes": Label(en="Purposes", ja="目的"),
    "honours": Label(en="What it honours", ja="遵守する事項"),
    "operator": Label(en="Operator", ja="運営者"),
    "operator.name": Label(en="Operator", ja="運営者"),
    "operator.name_ja": Label(en="Operator (Japanese name)", ja="運営者(日本語名)"),
    "operator.url": Label(en="Operator's site", ja="運営者のサイト"),
    "operator.country": Label(en="Country of the operator", ja="運営者の国"),
    "contact": Label(en="Contact", ja="連絡先"),
    "contact.info_page": Label(en="Page about the crawler", ja="クローラの説明ページ"),
    "contact.email": Label(en="Contact e-mail", ja="連絡先メールアドレス"),
    "contact.url": Label(en="Contact form", ja="問い合わせフォーム"),
    "collection": Label(en="Collection period", ja="収集期間"),
    "collection.start": Label(en="Collection begins", ja="収集開始日"),
    "collection.end": Label(en="Collection ends", ja="収集終了日"),
    "collection.ongoing": Label(en="Collection is ongoing", ja="収集の継続"),
    "robots": Label(en="Reading of robots.txt", ja="robots.txt の読み取り"),
    "robots.max_age_seconds": Label(en="robots.txt is read again after", ja="robots.txt の再取得までの時間"),
    "robots.max_crawl_delay_seconds": Label(
        en="Longest Crawl-delay that is waited for", ja="待機する Crawl-delay の上限"
    ),
    "signals": Label(en="Departures in the reading of signals", ja="シグナルの解釈に関する例外設定"),
    "signals.honour_denied_robots": Label(
        en="A robots.txt that is refused (401, 403) refuses the site",
        ja="アクセスを拒否された robots.txt(401、403)をサイト全体の拒否とみなす",
    ),
    "signals.honour_peer_ai_blocks": Label(
        en="Blocks of other AI agents count", ja="他の AI エージェントへの拒否の遵守"
    ),
    "signals.honour_ai_prohibitions": Label(
        en="Unregistered lines against AI use count", ja="未登録の AI 利用拒否行の遵守"
    ),
    "signals.honour_preferences_by_analogy": Label(
        en="Usage preferences count for purposes they do not name", ja="利用表明の類推適用"
    ),
    "signals.honour_tdm_beyond_mining": Label(
        en="A TDM reservation counts for search and archive", ja="TDM 留保の検索・保存への適用"
    ),
    "signals.honour_unknown_licences": Label(
        en="Licence terms that cannot be read refuse", ja="読み取れないライセンス条件の拒否扱い"
    ),
    "signals.honour_contradictory_trust_txt": Label(
        en="A no among contradictions in trust.txt counts", ja="矛盾する trust.txt の拒否扱い"
    ),
    "signals.honour_paywalls_for_search": Label(
        en="Declared paywalls count for a search index", ja="検索インデックスへのペイウォール宣言の適用"
    ),
    "signals.honour_metering": Label(en="Metered articles count as paid", ja="従量制記事の有料扱い"),
    "signals.honour_page_directives_by_analogy": Label(
        en="Page directives count for purposes they do not name", ja="ページ指示の類推適用"
    ),
    "signals.honour_asset_rights_by_analogy": Label(
        en="Assertions in files count for purposes they do not name", ja="ファイル内の権利表示の類推適用"
    ),
    "signals.deny_malformed_preferences": Label(
        en="Usage preferences that cannot be read refuse", ja="読み取れない利用表明の拒否扱い"
    ),
    "signals.deny_malformed_reservations": Label(
        en="TDM reservations that cannot be read refuse", ja="読み取れない TDM 留保の拒否扱い"
    ),
    "signals.research_org": Label(en="The operator is a research organisation", ja="運営者は研究機関である"),
    "description": Label(en="Description", ja="説明"),
    "description.en": Label(en="Description (English)", ja="説明(英語)"),
    "description.ja": Label(en="Description (Japanese)", ja="説明(日本語)"),
    "effect_of_blocking": Label(en="Effect of blocking", ja="拒否した場合の影響"),
    "effect_of_blocking.en": Label(en="Effect of blocking (English)", ja="拒否した場合の影響(英語)"),
    "effect_of_blocking.ja": Label(en="Effect of blocking (Japanese)", ja="拒否した場合の影響(日本語)"),
    "third_party_crawlers": Label(en="Crawlers of third parties", ja="第三者のクローラ"),
}
