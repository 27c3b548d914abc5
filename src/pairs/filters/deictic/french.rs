//! How French questions refer to the text.

use super::Tongue;

pub(super) const TONGUE: Tongue = Tongue {
    groups: &[
        ("TEXTE", "texte~,s passage~,s extrait~,s document~,s article~,s paragraphe~,s section~,s chapitre~,s"),
        ("CE", "ce cet cette ces présent présente"),
        ("LE", "le la l les un"),
        ("AUTEUR", "auteur~,s,e,es autrice~,s"),
        (
            "MENTIONNÉ",
            "mentionn* décrit~,e,s,es cité~,e,s,es indiqué~,e,s,es évoqué~,e,s,es présenté~,e,s,es expliqué~,e,s,es énuméré~,e,s,es \
             donné~,e,s,es listé~,e,s,es",
        ),
        (
            "DIT",
            "dit disent mentionne~,nt décrit décrivent recommande~,nt suggère~,nt explique~,nt affirme~,nt propose~,nt évoque~,nt \
             souligne~,nt conseille~,nt considère~,nt précise~,nt indique~,nt définit",
        ),
        ("AUTRE", "# de du des d a à entre"),
    ],
    phrases: &[
        "CE TEXTE !AUTRE",
        "selon|suivant LE|CE TEXTE|AUTEUR !AUTRE",
        "d après LE|CE TEXTE|AUTEUR !AUTRE",
        "MENTIONNÉ dans|par LE|CE TEXTE|AUTEUR !AUTRE",
        "dans LE|CE texte|passage|extrait|document|article il? est? sont? MENTIONNÉ",
        "^ dans le|l|ce|cet texte|passage|extrait|paragraphe !AUTRE",
        "MENTIONNÉ ici !#",
        "MENTIONNÉ ci dessus|dessous|après|avant",
        "MENTIONNÉ plus haut|bas",
        "susmentionn*|susdit~,e,s,es|précité~,e,s,es",
        "LE AUTEUR DIT",
        "DIT t? il? LE|CE AUTEUR !AUTRE",
        "DIT LE|CE texte|passage|extrait|document|article !AUTRE",
        "LE|CE texte|passage|extrait DIT",
        "sujet|but|objectif|thème|idée|titre|propos du|de l? TEXTE $",
        "de quoi parle LE|CE TEXTE",
    ],
};
