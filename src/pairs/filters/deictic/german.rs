//! How German questions refer to the text.

use super::Tongue;

pub(super) const TONGUE: Tongue = Tongue {
    groups: &[
        (
            "TEXT",
            "text~,es,e,en,s textabschnitt* textauszug* textstelle* textpassage* passage auszug auszugs abschnitt~,s,es absatz \
             absatzes dokument~,s,es,e,en kapitel~,s beitrag~,s,es bericht~,s,es studie",
        ),
        ("DIES", "dies~e,er,es,em,en vorliegend~e,er,es,em,en obig~e,er,es,em,en"),
        ("AUTOR", "autor~,s,en,in,innen verfasser~,s,in"),
        (
            "ERWÄHNT",
            "erwähn* beschrieb* beschreib* genannt* aufgeführt* aufgelistet* aufgezählt* erläutert* behandelt* dargestellt* \
             besprochen* vorgestellt* angegeben* gesagt empfohlen* angesprochen*",
        ),
        (
            "SAGT",
            "sagt sagen empfiehlt empfehlen nennt nennen erwähnt erwähnen beschreibt beschreiben meint meinen behauptet behaupten \
             schlägt schlagen erklärt erklären erläutert erläutern betont betonen verwendet verwenden vertritt vertreten hält",
        ),
    ],
    phrases: &[
        "DIES TEXT !der|des|von|zwischen|zu|#",
        "in|laut|gemäß|aus DIES artikel !#|der|des",
        "obig~e,er,es,em,en|vorgenannt*|obengenannt*|obenerwähnt*",
        "laut dem|der|den? TEXT|AUTOR|artikel !#|der|des|din|en",
        "gemäß dem|der|diesem|dieser TEXT|artikel !#|der|des",
        "nach ansicht|meinung|auffassung|angaben|aussage|aussagen des|der|von? AUTOR|textes|artikels|dokuments",
        "im|in|aus dem? TEXT|artikel ERWÄHNT",
        "^ im text|textabschnitt|textauszug|auszug|absatz",
        "ERWÄHNT im|in|vom|von dem|der|diesem? TEXT|artikel|AUTOR !#|der|des",
        "oben|unten|hier|vorstehend|zuvor ERWÄHNT",
        "der|die|dem|den AUTOR SAGT",
        "SAGT der|die|das TEXT|AUTOR|artikel !der|des|von|#",
        "der|die|das text|artikel|passage|auszug SAGT",
        "thema|zweck|ziel|inhalt|aussage|titel|kernaussage des|dieses|der|dieser TEXT|artikels $",
        "geht es im|in dem|diesem|dieser? TEXT|artikel",
        "welche|welcher|welches|was der folgenden|genannten|obigen",
    ],
};
