"""What the reason codes of reservations and preferences mean; the other codes are in `reasons.py`.

A reservation is a site's or rights holder's statement about use, wherever it stands: robots.txt, another file
of the site, a header, the page, the asset. Pure: imports the vocabulary only.
"""

from __future__ import annotations

from policies.reasons_words import Explanation
from policies.reasons_words import entry as _entry
from policies.vocabulary import Reason

#: In the order of the vocabulary.
RIGHTS: dict[Reason, Explanation] = {
    Reason.AI_AGENTS_BLOCKED: _entry(
        "The robots.txt shuts out the well-known AI crawlers, and this agent collects for the same use.",
        "サイトの robots.txt が主要な AI クローラを締め出しており、このエージェントの用途もそれと同じです。",
        "Honour the site's evident wish; a site owner can name this agent's token to decide otherwise.",
        "サイトの明らかな意向を尊重してください。サイト運営者は、このエージェントのトークンを名指しして別の扱いを定められます。",
    ),
    Reason.AI_PROHIBITION: _entry(
        "The site's robots.txt holds a line of no registered format that speaks against use for AI.",
        "サイトの robots.txt に、登録された形式ではないものの、AI への利用を拒む行があります。",
        "Read the cited line and respect what it plainly means.",
        "引用された行を読み、その明白な意味を尊重してください。",
    ),
    Reason.ROBOTS_NOINDEX: _entry(
        "The site's robots.txt asks that this path is not indexed.",
        "サイトの robots.txt が、このパスを索引に含めないよう求めています。",
        "Keep the path out of collections; the Noindex line that matched is cited.",
        "このパスを収集対象に含めないでください。該当した Noindex 行を引用しています。",
    ),
    Reason.USAGE_PREFERENCE: _entry(
        "The site prefers that its content is not used for a purpose of this agent (Content-Usage).",
        "サイトが、このエージェントの目的での利用を望まないことを Content-Usage で示しています。",
        "Collect without that purpose under another agent, or agree on a contract with the site.",
        "その目的を含まない別のエージェントで収集するか、サイトと契約を結んでください。",
    ),
    Reason.CONTENT_SIGNAL: _entry(
        "The site reserves its content against a purpose of this agent (Content-Signal).",
        "サイトが、このエージェントの目的での利用を Content-Signal で留保しています。",
        "Treat it as an express reservation of rights; only a licence from the site changes it.",
        "明示の権利留保として扱ってください。これを変えられるのはサイトからの許諾だけです。",
    ),
    Reason.TDM_RESERVATION: _entry(
        "The rights holder reserves text and data mining (TDMRep).",
        "権利者がテキスト・データマイニングの権利を TDMRep で留保しています。",
        "Read the policy that the statement names, if any, and obtain permission from the rights holder.",
        "示されたポリシーがあれば確認し、権利者から許諾を得てください。",
    ),
    Reason.LICENCE_TERMS: _entry(
        "The site's machine-readable licence (RSL) does not permit a purpose of this agent.",
        "サイトの機械可読ライセンス(RSL)が、このエージェントの目的を許諾していません。",
        "Obtain the licence that the document offers and record it as a waiver.",
        "文書が提示するライセンスを取得し、適用除外ファイルに記録してください。",
    ),
    Reason.LICENCE_UNKNOWN: _entry(
        "The site names a machine-readable licence (RSL) whose terms could not be read.",
        "サイトが機械可読ライセンス(RSL)を示していますが、その条件を読み取れませんでした。",
        "Ask the site for a readable licence; until its terms are known the content stays untouched.",
        "読み取り可能なライセンスをサイトに求めてください。条件が判明するまで内容には触れません。",
    ),
    Reason.AI_TXT: _entry(
        "The site's ai.txt refuses this path for training.",
        "サイトの ai.txt が、このパスの学習への利用を拒否しています。",
        "Leave it out of training data; the deciding line of ai.txt is cited.",
        "学習データから除いてください。根拠となった ai.txt の行を引用しています。",
    ),
    Reason.TRUST_TXT: _entry(
        "The site's trust.txt refuses data training.",
        "サイトの trust.txt が、データの学習への利用を拒否しています。",
        "Respect it for the whole site, or come to an agreement with the publisher named in trust.txt.",
        "サイト全体について尊重するか、trust.txt に示された発行者と合意してください。",
    ),
    Reason.WAIVER_USED: _entry(
        "A licence or contract, named by its document id, permits what the site's signals refuse.",
        "文書番号で特定されたライセンスまたは契約が、サイトのシグナルが拒否する利用を認めています。",
        "Keep the document at hand: each use is disclosed with its id, owner and expiry.",
        "文書を保管してください。使用のたびに、文書番号、責任者、有効期限が開示されます。",
    ),
    Reason.X_ROBOTS_TAG: _entry(
        "The response's X-Robots-Tag header restricts what may be done with it.",
        "応答の X-Robots-Tag ヘッダが、その扱いを制限しています。",
        "The content was dropped; the header that said so is cited.",
        "内容は破棄されました。根拠となったヘッダを引用しています。",
    ),
    Reason.ROBOTS_META: _entry(
        "The page's robots meta element restricts what may be done with it.",
        "ページの robots meta 要素が、その扱いを制限しています。",
        "The content was dropped; the element that said so is cited.",
        "内容は破棄されました。根拠となった要素を引用しています。",
    ),
    Reason.NOFOLLOW: _entry(
        "The page, or the link itself, asks crawlers not to follow (nofollow).",
        "ページまたはリンク自体が、リンクをたどらないよう求めています(nofollow)。",
        "Leave the link out; the same address may still be reached from a page that permits it.",
        "このリンクはたどらないでください。許可している別のページからは同じアドレスに到達できます。",
    ),
    Reason.NOAI: _entry(
        "The response says that it, or its images, must not be used for AI (noai, noimageai).",
        "応答が、それ自体または画像の AI への利用を禁じています(noai、noimageai)。",
        "Keep it out of AI data sets; the creator can be asked for permission.",
        "AI のデータセットから除いてください。許諾は作者に求められます。",
    ),
    Reason.ASSET_RIGHTS: _entry(
        "The file itself carries an assertion against a purpose of this agent (CAWG, PLUS/IPTC).",
        "ファイル自体に、このエージェントの目的に反する権利表示(CAWG、PLUS/IPTC)が含まれています。",
        "The file was not kept; the assertion and the party behind it are in the evidence.",
        "ファイルは保持していません。権利表示とその主体は証拠に示されています。",
    ),
    Reason.WITHDRAWN: _entry(
        "What an earlier run kept is refused by the signals, lists or policy of today.",
        "以前の実行で保持したものが、現在のシグナル、リストまたはポリシーでは拒否されます。",
        "Delete the record from every data set that it went into, and note the decision's index.",
        "この記録を、取り込まれたすべてのデータセットから削除し、判断の番号を控えてください。",
    ),
    Reason.JUDGED_ONLY: _entry(
        "The page was asked for again to read its signals; nothing refuses it, and this copy was not kept.",
        "シグナルを読み取るためにページを再取得しました。拒否の表示はなく、この写しは保持していません。",
        "Nothing to do: what an earlier run kept stands.",
        "対応は不要です。以前の実行で保持したものはそのまま有効です。",
    ),
}
