//! How Spanish questions refer to the text.

use super::Tongue;

pub(super) const TONGUE: Tongue = Tongue {
    groups: &[
        (
            "TEXTO",
            "texto~,s pasaje~,s documento~,s artículo~,s fragmento~,s párrafo~,s extracto~,s sección secciones capítulo~,s estudio informe",
        ),
        ("ESTE", "este esta estos estas dicho dicha presente"),
        ("EL", "el la lo los las"),
        ("AUTOR", "autor~,a,es,as"),
        (
            "MENCIONADO",
            "mencion* descrit~o,a,os,as describ~e,en citad~o,a,os,as cita indicad~o,a,os,as explicad~o,a,os,as presentad~o,a,os,as \
             enumerad~o,a,os,as señalad~o,a,os,as listad~o,a,os,as dice habla expone~,n",
        ),
        (
            "DICE",
            "dice~,n menciona~,n describe~,n recomienda~,n sugiere~,n afirma~,n propone~,n explica~,n señala~,n considera~,n \
             aconseja~,n indica~,n sostiene~,n",
        ),
        ("OTRO", "# de del entre"),
    ],
    phrases: &[
        "ESTE TEXTO !OTRO",
        "según EL|ESTE TEXTO|AUTOR !OTRO",
        "de acuerdo con|a EL|ESTE TEXTO|AUTOR !OTRO",
        "MENCIONADO en EL|ESTE TEXTO !OTRO",
        "MENCIONADO por EL AUTOR !OTRO",
        "en EL texto|pasaje|fragmento|documento|extracto|artículo se MENCIONADO",
        "^ en el texto|pasaje|fragmento|párrafo|extracto !OTRO",
        "MENCIONADO anteriormente|arriba|aquí|abajo|previamente !#",
        "antes|anteriormente|arriba mencionad*|citad*|descrit*",
        "susodich*",
        "DICE EL|ESTE AUTOR !OTRO",
        "EL AUTOR DICE",
        "DICE EL|ESTE texto|pasaje|fragmento|documento|artículo|informe !OTRO",
        "EL texto|pasaje|fragmento DICE",
        "tema|propósito|objetivo|idea|título|finalidad del|de este|esta|la? TEXTO $",
        "de qué trata EL|ESTE TEXTO",
    ],
};
