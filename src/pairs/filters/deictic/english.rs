//! How English questions refer to the text.

use super::Tongue;

pub(super) const TONGUE: Tongue = Tongue {
    groups: &[
        ("TEXT", "text~,s passage~,s excerpt~,s snippet~,s document~,s article~,s paragraph~,s section~,s chapter~,s"),
        ("PAPER", "study report review publication paper manuscript essay"),
        ("AUTHOR", "author~,s writer~,s"),
        (
            "TOPIC",
            "topic subject purpose point idea focus theme aim goal title conclusion~,s message scope summary objective~,s \
             finding~,s argument result~,s",
        ),
        // What makes a compound of `text` or `document`, or says which one is meant.
        (
            "OTHER",
            "# of from by between through for to into behind ways message~,s messaging editor~,s box~,es field~,s file~,s size~,s \
             string~,s mode~,s number~,s type~,s format~,s template~,s scanner~,s scanning feeder~,s management class~,es id~,s \
             name~,s input~,s entry entries alert~,s color~,s colour~,s font~,s reader~,s camera~,s tray~,s control jam~,s feed \
             filter~,s roll~,s clip~,s mill~,s machine~,s weight modulus valve~,s board~,s form~,s meeting~,s process",
        ),
        (
            "MENTIONED",
            "mentioned described discussed stated listed named explained outlined quoted cited referenced presented reported \
             given shown provided highlighted detailed covered defined recommended specified introduced",
        ),
        (
            "SAY",
            "say~,s mention~,s describe~,s recommend~,s suggest~,s state~,s explain~,s discuss~,es list~,s give~,s provide~,s \
             define~,s identify identifies refer~,s claim~,s argue~,s note~,s report~,s conclude~,s tell~,s indicate~,s propose~,s \
             emphasi~ze,zes,se,ses focus~,es find~,s found cover~,s detail~,s present~,s call~,s compare~,s imply implies reveal~,s \
             highlight~,s advise~,s consider~,s think~,s believe~,s mean~,s warn~,s show~,s demonstrate~,s review~,s",
        ),
    ],
    phrases: &[
        "this|these TEXT|PAPER !OTHER",
        "the given|above|following|provided|preceding|present|quoted|cited TEXT|PAPER !OTHER",
        "in|by this|the present? manual|guide|handbook|leaflet|brochure $",
        "according|based|judging to|on|upon|by|from the|this|its? TEXT|PAPER|AUTHOR !OTHER",
        "^ in|from the text|passage|excerpt|snippet|paragraph|article !OTHER",
        "MENTIONED to? in|by|within the|this|that TEXT|PAPER|AUTHOR|table|figure|diagram|image|picture|list|example !OTHER|above",
        "MENTIONED above|below|here|herein !#|zero|freezing|the|a|an|average|ambient|sea|ground|all|only",
        "mentioned|discussed|listed|named earlier|previously $",
        "above mentioned|described|listed|named|stated",
        "aforementioned|aforesaid|abovementioned",
        "which|what|all|any|none of the following|above",
        "TOPIC of the|this TEXT|PAPER $|about|regarding|concerning|and|or",
        "do|does|did the|this TEXT|PAPER|AUTHOR SAY !OTHER",
        "the passage|excerpt|snippet SAY",
        "the AUTHOR SAY !of",
        "do|does|did|is|are|was|were|has|have|had|can|could|should|would|why|how|by|to the AUTHOR !of|behind|who|#",
        "the AUTHOR s? view~,s|opinion~,s|argument~,s|point|claim~,s|conclusion~,s|recommendation~,s|advice|recent",
        "based on|upon the|this given|provided|above? information|context|details|description|data given|provided|above|$",
        "the provided|given information|context|description|details",
        "according|in|from|by|to|see the? table|figure|fig # !of|in|from",
        "author~,s of the|this TEXT|PAPER !#|of|from|by|on|about|who|that|which",
    ],
};
