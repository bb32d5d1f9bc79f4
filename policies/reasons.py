"""What every reason code means, in English and Japanese, and what to do about it.

The codes are in `policies/vocabulary.py`; here are the words, one entry a code, never removed, because logs
outlive versions. `since` is the Sekisho version that introduced the code. Sentences speak to the reader of a
log or a disclosure; the next step speaks to the operator, or to the site owner where only they can act.
Pure: imports the vocabulary only.
"""

from __future__ import annotations

from policies.reasons_lists import LISTS
from policies.reasons_rights import RIGHTS
from policies.reasons_words import Explanation
from policies.reasons_words import entry as _entry
from policies.vocabulary import Reason

__all__ = ["EXPLANATIONS", "Explanation", "explain_reason"]


_PASSES_AND_CONDUCT: dict[Reason, Explanation] = {
    Reason.ALLOWED: _entry(
        "Every rule that was consulted lets the request pass.",
        "参照したすべての規則が、このリクエストを認めています。",
        "Nothing to do.",
        "対応は不要です。",
    ),
    Reason.NOT_APPLICABLE: _entry(
        "The rule does not concern this kind of request.",
        "この規則は、この種類のリクエストには適用されません。",
        "Read the other rules of the same decision.",
        "同じ判断に含まれる他の規則を確認してください。",
    ),
    Reason.KEPT: _entry(
        "The response carries no restriction and was handed to the spider.",
        "応答に制限の表示はなく、スパイダーに渡されました。",
        "No action is needed.",
        "特に必要な対応はありません。",
    ),
    Reason.ROBOTS_DISALLOW: _entry(
        "The site's robots.txt forbids this path to this agent.",
        "サイトの robots.txt が、このエージェントに対してこのパスを禁止しています。",
        "Leave the page out; the site owner can change the line that is cited.",
        "このページは収集しないでください。引用されている行はサイト運営者が変更できます。",
    ),
    Reason.ROBOTS_UNREACHABLE: _entry(
        "The robots.txt could not be obtained, so everything on its origin counts as forbidden.",
        "robots.txt を取得できなかったため、そのオリジン全体を禁止とみなしました。",
        "Wait: it is asked for again later; see the status or error in the evidence.",
        "後ほど再取得されます。証拠に示された状態コードまたはエラーを確認してください。",
    ),
    Reason.ROBOTS_DENIED: _entry(
        "The site refuses access to its robots.txt (401 or 403), which counts as refusing the whole origin.",
        "robots.txt へのアクセスが拒否(401 または 403)されたため、オリジン全体の拒否とみなしました。",
        "Ask the site owner whether the crawler is welcome, and to publish a readable robots.txt.",
        "クローラの可否をサイト運営者に確認し、読み取り可能な robots.txt の公開を依頼してください。",
    ),
    Reason.CRAWL_DELAY_TOO_LONG: _entry(
        "The site asks for a longer pause between requests than the agent is declared to wait.",
        "サイトが求めるリクエスト間隔が、エージェントの宣言した待機の上限を超えています。",
        "Raise robots.max_crawl_delay_seconds in the agent file, or leave the site out.",
        "宣言の robots.max_crawl_delay_seconds を増やすか、そのサイトを対象から外してください。",
    ),
    Reason.PIRACY_LIST: _entry(
        "The host is on a list of piracy domains.",
        "ホストが海賊版サイトのリストに掲載されています。",
        "Disputes go to the cited authority or list; sekisho blocklists why HOST shows how a site is freed.",
        "異議は引用された機関かリストへ。解除の方法は sekisho blocklists why HOST で確認できます。",
    ),
    Reason.POLICY_SCOPE: _entry(
        "The address lies outside what the agent may visit.",
        "アドレスが、エージェントに認められた範囲の外にあります。",
        "Check the agent file: with a placeholder contact, only loopback addresses may be crawled.",
        "エージェントファイルを確認してください。連絡先が仮のものである間は、ループバックのみ収集できます。",
    ),
    Reason.UNPARSABLE_URL: _entry(
        "The URL has no usable http or https host.",
        "URL に、利用できる http または https のホストがありません。",
        "Correct the URL, or the link on the page that is named as its parent.",
        "URL、または親として記録されたページ上のリンクを修正してください。",
    ),
    Reason.URL_LENGTH: _entry(
        "The URL is longer than the limit.",
        "URL が長さの上限を超えています。",
        "Check whether a page generates endless links; the limit is Scrapy's URLLENGTH_LIMIT.",
        "リンクを無限に生成するページがないか確認してください。上限は Scrapy の URLLENGTH_LIMIT です。",
    ),
    Reason.OFFSITE: _entry(
        "The host is not among the domains that the spider may visit.",
        "ホストが、スパイダーの対象ドメインに含まれていません。",
        "Add the domain to the spider's allowed domains if it is meant.",
        "意図した対象であれば、スパイダーの許可ドメインに追加してください。",
    ),
    Reason.DUPLICATE: _entry(
        "The same request was already made in this run.",
        "同じリクエストが、この実行ですでに行われています。",
        "Look up the first decision for this URL in the same run.",
        "同じ実行での、この URL に対する最初の判断を参照してください。",
    ),
    Reason.DEPTH_LIMIT: _entry(
        "The page is more links away from the start than the limit allows.",
        "開始ページからのリンクの深さが上限を超えています。",
        "Raise Scrapy's DEPTH_LIMIT, or start nearer to the page.",
        "Scrapy の DEPTH_LIMIT を増やすか、より近いページから開始してください。",
    ),
    Reason.RATE_LIMITED: _entry(
        "The site asked the crawler to slow down.",
        "サイトがクローラに速度を落とすよう求めました。",
        "Let the crawler wait; lower the request rate if this repeats.",
        "クローラの待機に任せ、繰り返す場合はリクエストの頻度を下げてください。",
    ),
    Reason.VISIT_TIME: _entry(
        "The site may be visited only at other hours of the day.",
        "サイトが、巡回してよい時間帯を別に定めています。",
        "Let the crawler come back; the request is put off until the hours that the cited line names.",
        "引用された行の時間帯になるまでリクエストは延期されます。再訪をクローラに任せてください。",
    ),
    Reason.REFUSED_BY_SPIDER: _entry(
        "The project's own code dropped the request before it was sent.",
        "送信の前に、プロジェクト自身のコードがリクエストを取り下げました。",
        "Look into the spider and the middlewares of the project.",
        "プロジェクトのスパイダーとミドルウェアを確認してください。",
    ),
    Reason.NO_PERMIT: _entry(
        "A request reached the door without a recorded decision for exactly this method, URL and User-Agent.",
        "メソッド、URL、User-Agent が一致する記録済みの判断がないまま、リクエストが出口に達しました。",
        "Find the component that changes requests after they were judged, and remove it.",
        "判断の後にリクエストを書き換えているコンポーネントを特定し、取り除いてください。",
    ),
    Reason.LOG_UNAVAILABLE: _entry(
        "The decision log could not be written, so nothing more is fetched.",
        "判断ログに書き込めないため、これ以上の取得を行いません。",
        "Check disk space and permissions of the log, then run sekisho check.",
        "ログのディスク容量と権限を確認し、sekisho check を実行してください。",
    ),
    Reason.UNGOVERNED: _entry(
        "A page that was rendered wanted to send where no rule can be asked; nothing was sent.",
        "ページの描画中に、規則で判断できない経路での送信が試みられたため遮断しました。送信は行っていません。",
        "Leave it closed: websockets, service workers, WebRTC and the like; the note names which it was.",
        "閉じたままにしてください。WebSocket、Service Worker などが該当し、経路は注記に示されています。",
    ),
    Reason.RENDER_LIMIT: _entry(
        "Rendering the page met a limit of time, requests or size.",
        "ページの描画が、時間、リクエスト数または容量の上限に達しました。",
        "See the note; the limits are the settings that begin with SEKISHO_BROWSER_.",
        "注記を確認してください。上限は SEKISHO_BROWSER_ で始まる設定です。",
    ),
    Reason.RENDER_FAILED: _entry(
        "The page could not be rendered, so nothing of it was handed to the spider.",
        "ページを描画できなかったため、スパイダーには何も渡していません。",
        "Read the note: it says what to install, to set or to leave out.",
        "注記に、導入、設定または取りやめるべきものが示されています。",
    ),
    Reason.BOT_CHALLENGE: _entry(
        "A challenge to automated visitors was served in place of the page.",
        "ページの代わりに、自動アクセスに対する確認画面が返されました。",
        "Never answer a challenge; ask the site owner to admit the declared User-Agent if that is wanted.",
        "確認画面には応答しません。必要であれば、宣言した User-Agent の許可をサイト運営者に求めてください。",
    ),
    Reason.CRAWLER_CHARGED: _entry(
        "The server says that this visit was charged, although no payment was offered.",
        "支払いを申し出ていないのに、このアクセスに課金したとサーバが通知しました。",
        "Stop the crawl of this site and find out at once who offers to pay in the crawler's name.",
        "このサイトの収集を止め、クローラの名義で支払いを申し出ている者を直ちに調べてください。",
    ),
    Reason.CREDENTIALS_REQUESTED: _entry(
        "The server asks for credentials beside the content that it sent.",
        "サーバが、内容を返すと同時に認証情報も求めています。",
        "Count the content as restricted; nothing is sent that would identify an account.",
        "内容は制限されているものとみなしてください。アカウントを示す情報は送信しません。",
    ),
    Reason.HTTP_401: _entry(
        "The server asks for authentication (401).",
        "サーバが認証を求めています(401)。",
        "Leave the page out: the crawler carries no credentials.",
        "クローラは認証情報を持ちません。このページは対象から外してください。",
    ),
    Reason.HTTP_402: _entry(
        "The server asks for payment (402).",
        "サーバが支払いを求めています(402)。",
        "Obtain a licence from the site if the content is needed.",
        "内容が必要な場合は、サイトから許諾を得てください。",
    ),
    Reason.HTTP_403: _entry(
        "The server refuses access (403).",
        "サーバがアクセスを拒否しています(403)。",
        "Respect the refusal; ask the site owner if it is unexpected.",
        "拒否を尊重してください。想定外の場合はサイト運営者に確認してください。",
    ),
    Reason.HTTP_407: _entry(
        "A proxy asks for authentication (407).",
        "プロキシが認証を求めています(407)。",
        "Check the proxy between the crawler and the network.",
        "クローラとネットワークの間にあるプロキシを確認してください。",
    ),
    Reason.LEGAL_BLOCK: _entry(
        "The server withholds the page for legal reasons (451).",
        "サーバが法的な理由によりページの提供を控えています(451)。",
        "Do not look for the page elsewhere; keep the record.",
        "別の場所からの取得は行わず、記録を保持してください。",
    ),
    Reason.HTTP_ERROR: _entry(
        "The server answered with an error status.",
        "サーバがエラーの状態コードを返しました。",
        "See the status in the record; try again later if it is a server error.",
        "記録の状態コードを確認し、サーバ側のエラーであれば後で再試行してください。",
    ),
    Reason.REDIRECT: _entry(
        "The response points to another address, which is judged as a request of its own.",
        "応答は別のアドレスを示しており、そのアドレスは独立したリクエストとして判断されます。",
        "Follow the record of the target address.",
        "転送先アドレスの記録を参照してください。",
    ),
    Reason.LOGIN_REQUIRED: _entry(
        "The page leads to a login.",
        "ページがログインへ誘導しています。",
        "Treat the page as closed to the crawler; nothing is entered into a login form.",
        "このページはクローラに閉ざされているものと扱ってください。ログインフォームへの入力は行いません。",
    ),
    Reason.PAYWALL_STRUCTURED_DATA: _entry(
        "The page declares in structured data that it is not free to read.",
        "ページが、構造化データで無料では読めないことを宣言しています。",
        "The body was dropped; ask the publisher for a licence if the content is needed.",
        "本文は破棄されました。内容が必要な場合は、発行者に許諾を求めてください。",
    ),
    Reason.PAYWALL_MARKUP: _entry(
        "The page declares in its markup that it is metered or locked.",
        "ページが、マークアップで閲覧制限(従量制または有料)を宣言しています。",
        "The text was not kept; an agreement with the publisher is the way to it.",
        "本文は保持していません。入手するには発行者との契約が必要です。",
    ),
    Reason.PAYWALL_METERED: _entry(
        "The page declares that only a number of visits to it are free.",
        "ページが、無料で閲覧できる回数に限りがあることを宣言しています。",
        "The free allowance is meant for readers; the policy says whether a crawler may use it.",
        "無料の閲覧枠は読者のためのものです。クローラの利用可否はポリシーで定めます。",
    ),
    Reason.PAYWALL_GATE: _entry(
        "The page shows a gate of a paywall vendor in place of its text.",
        "ページが、本文の代わりに課金サービスの案内を表示しています。",
        "Take the page as closed; the vendor's mark and what corroborates it are in the evidence.",
        "ページは閉ざされているものとみなしてください。課金サービスの痕跡とその裏付けは証拠に示されています。",
    ),
    Reason.SITE_FILE: _entry(
        "A file in which a site states its rules was read for compliance and not handed to the spider.",
        "サイトの規則を示すファイルを遵守のために読み取り、スパイダーには渡していません。",
        "Nothing follows from this record alone.",
        "この記録だけで必要となる対応はありません。",
    ),
    Reason.RECEIVED: _entry(
        "A complete response arrived.",
        "応答をすべて受信しました。",
        "Read the response record for what became of it.",
        "その後の扱いは、応答の記録を参照してください。",
    ),
    Reason.NOT_SENT: _entry(
        "The permit was withdrawn before the request left: its site, the lists or the end came first.",
        "送信前に許可を取り消しました。サイトの要求、リストの更新、またはクロールの終了が先に生じたためです。",
        "Nothing to do: the request is judged anew when it is taken up again.",
        "再開時に改めて判断されるため、対応は不要です。",
    ),
    Reason.ERROR_NETWORK: _entry(
        "No complete response arrived: name, connection, encryption or transfer failed.",
        "名前解決、接続、暗号化または転送に失敗し、応答を最後まで受信できませんでした。",
        "See the error in the record, and check the network and the host.",
        "記録のエラーを確認し、ネットワークとホストを点検してください。",
    ),
    Reason.ERROR_INTERNAL: _entry(
        "A component of the crawler failed, and the request was given up.",
        "クローラの構成要素で障害が起き、リクエストを中止しました。",
        "Report the error in the record together with the version.",
        "記録のエラーをバージョンとともに報告してください。",
    ),
    Reason.RUN_OPENED: _entry(
        "A run began, with the policy, lists and settings that its record names.",
        "記録に示されたポリシー、リスト、設定で実行が始まりました。",
        "Compare the digests with the files that were meant.",
        "ダイジェストを、意図したファイルと照合してください。",
    ),
    Reason.RUN_CLOSED: _entry(
        "A run ended in good order.",
        "実行が正常に終了しました。",
        "Verify the log with sekisho log verify before publishing from it.",
        "公開に用いる前に、sekisho log verify でログを検証してください。",
    ),
    Reason.GUARD_ARMED: _entry(
        "Before the first request it was checked that every protecting component is in place.",
        "最初のリクエストの前に、保護のための構成要素がすべて備わっていることを確認しました。",
        "Treat a run without this record as unguarded.",
        "この記録のない実行は、保護されていないものとして扱ってください。",
    ),
    Reason.TRIPWIRE: _entry(
        "Code in the process opened a connection, a name look-up, a program or a library past the door.",
        "プロセス内のコードが、出口を通らずに接続、名前解決、プログラムまたはライブラリの起動を試みました。",
        "Find the code that the evidence names; a database of your own belongs in SEKISHO_DESTINATIONS.",
        "証拠に示されたコードを確認してください。自社のデータベース等は SEKISHO_DESTINATIONS に記載します。",
    ),
}

#: In the order of the vocabulary.
EXPLANATIONS: dict[Reason, Explanation] = {
    reason: words
    for reason in Reason
    if (words := _PASSES_AND_CONDUCT.get(reason) or RIGHTS.get(reason) or LISTS.get(reason)) is not None
}


def explain_reason(code: str) -> Explanation | None:
    """Return the words for a code as it stands in a log, or None for a code of a later version."""
    try:
        return EXPLANATIONS[Reason(code)]
    except ValueError:
        return None
