"""The words of the reason codes about block lists: how a list was refreshed, and which state is in force.

Data for `policies/reasons.py`; the rules for such sentences are there.
"""

from __future__ import annotations

from policies.reasons_words import Explanation, entry
from policies.vocabulary import Reason

LISTS: dict[Reason, Explanation] = {
    Reason.LIST_FILE: entry(
        "A block list was received in order to be honoured; its text is not handed to a spider.",
        "遵守のためにブロックリストを受信しました。その内容はスパイダーには渡しません。",
        "Look for the record of the same run that says what became of the list.",
        "同じ実行の記録で、そのリストの扱いを確認してください。",
    ),
    Reason.LIST_REFRESHED: entry(
        "A block list was fetched, passed every check and takes the place of its earlier state.",
        "ブロックリストを取得し、すべての検査に合格したため、以前の状態と置き換えました。",
        "See what changed with sekisho blocklists diff.",
        "変更内容は sekisho blocklists diff で確認できます。",
    ),
    Reason.LIST_UNCHANGED: entry(
        "The publisher of a block list confirmed that the copy in force is still its newest.",
        "ブロックリストの発行元が、使用中の写しが最新であることを確認しました。",
        "Keep refreshing at the interval that the list asks for.",
        "リストが求める間隔で更新を続けてください。",
    ),
    Reason.LIST_HELD: entry(
        "A fetched block list failed a check and is held for review; the last good one stays in force.",
        "取得したブロックリストが検査に合格せず、確認待ちとしました。直前の正常なリストを引き続き使用します。",
        "Read the concerns in the record; accept the held list by its digest if it is right after all.",
        "記録された懸念を確認し、問題がなければ、保留中のリストをダイジェストを指定して承認してください。",
    ),
    Reason.LIST_FAILED: entry(
        "A block list could not be obtained; the last good one stays in force.",
        "ブロックリストを取得できませんでした。直前の正常なリストを引き続き使用します。",
        "See the error in the record; when a list grows too old, crawls refuse to start.",
        "記録のエラーを確認してください。取得できない状態が続くとリストは期限切れとなり、クロールは開始を拒否します。",
    ),
    Reason.LISTS_CHANGED: entry(
        "Another state of the block lists came into force; the record names both by digest.",
        "ブロックリストの別の状態が有効になりました。記録には前後のダイジェストが示されています。",
        "Compare both states; requests that were waiting are judged by the new one.",
        "前後の状態を比較してください。待機中のリクエストは新しい状態で判断されます。",
    ),
    Reason.LISTS_KEPT: entry(
        "A new state of the block lists could not be loaded, so the crawl goes on with the one it has.",
        "ブロックリストの新しい状態を読み込めなかったため、クロールは現在の状態で続行します。",
        "Read the error in the record and build the lists anew.",
        "記録のエラーを確認し、リストを作り直してください。",
    ),
}
