//! Whether a question is in the language it should be in.
//!
//! Telling the language of six words is unreliable, and a wrong suspicion costs a good question. So the script decides wherever
//! it can; the language is only asked for where both texts are long enough, and where the question owes little to the passage.

use std::collections::HashSet;

use whatlang::{Lang, Script, detect, detect_script};

use super::normalised_words;
use super::question::length;

/// Share of a passage's words from which a script belongs to it. Terms in another script stay below.
const SCRIPT_SHARE: f64 = 0.25;
/// Fewest words of a question whose language can be told.
const LEAST_WORDS: f64 = 6.0;
/// Share of a question's words that stand in the passage from which both are in the same language.
const SHARED_WORDS: f64 = 0.5;

/// Whether a question is in another language than wanted: the one that was chosen, else the passage's.
pub(super) fn wrong_language(question: &str, passage: &str, chosen: Option<Lang>) -> bool {
    let asked = normalised_words(question);
    let there = normalised_words(passage);
    match chosen {
        Some(wanted) if detect(passage).is_none_or(|info| info.lang() != wanted) => is_not_in(wanted, question, &asked),
        _ => differs(question, &asked, passage, &there),
    }
}

/// Whether a question is in another language than its passage. One whose words all stand in the passage is not, and
/// neither is one with terms in another script that stand there.
fn differs(question: &str, asked: &[String], passage: &str, there: &[String]) -> bool {
    let known: HashSet<&str> = there.iter().map(String::as_str).collect();
    let own: Vec<&String> = asked.iter().filter(|word| !known.contains(word.as_str())).collect();
    let home = scripts_of(there);
    if home.is_empty() {
        return false; // a table of numbers has no language
    }
    let (own_scripts, foreign) = own
        .iter()
        .filter_map(|word| script_of(word))
        .fold((0, 0), |(all, foreign), script| (all + 1, foreign + usize::from(!home.contains(&script))));
    if 2 * foreign > own_scripts {
        return true;
    }
    let shared = asked.len() - own.len();
    shared as f64 <= SHARED_WORDS * asked.len() as f64
        && reliable(question, asked).is_some_and(|of_question| {
            detect(passage).is_some_and(|info| info.is_reliable() && info.lang() != of_question)
        })
}

/// Whether a question is not in a language that is none of its passage's: then its words say nothing about it.
fn is_not_in(wanted: Lang, question: &str, asked: &[String]) -> bool {
    let scripts: Vec<Script> = asked.iter().filter_map(|word| script_of(word)).collect();
    let own = scripts.iter().filter(|script| writes(**script, wanted)).count();
    2 * own < scripts.len() || reliable(question, asked).is_some_and(|language| language != wanted)
}

/// The language of a question, where that can be told.
fn reliable(question: &str, asked: &[String]) -> Option<Lang> {
    let info = detect(question).filter(|info| info.is_reliable() && length(asked) >= LEAST_WORDS)?;
    Some(info.lang())
}

/// The scripts that a passage is written in.
fn scripts_of(words: &[String]) -> Vec<Script> {
    let scripts: Vec<Script> = words.iter().filter_map(|word| script_of(word)).collect();
    let mut home: Vec<Script> = Vec::new();
    for script in &scripts {
        let share = || scripts.iter().filter(|other| *other == script).count() as f64 / scripts.len() as f64;
        if !home.contains(script) && share() >= SCRIPT_SHARE {
            home.push(*script);
        }
    }
    home
}

/// The script of a word; none of numbers and of names with digits in them, which are the same in all languages. The three
/// scripts of Japanese are one.
fn script_of(word: &str) -> Option<Script> {
    if word.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(match detect_script(word)? {
        Script::Hiragana | Script::Katakana => Script::Mandarin,
        script => script,
    })
}

fn writes(script: Script, language: Lang) -> bool {
    script.langs().contains(&language) || (script == Script::Mandarin && language == Lang::Jpn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "Frost on the evaporator keeps the warmth of the room from the coil, so that the suction pressure \
                           falls. Hot gas from the discharge line melts it within a quarter of an hour, after which the fan \
                           starts with a delay of two minutes.";
    const RUSSIAN: &str = "Иней на испарителе мешает теплу камеры дойти до труб, и давление всасывания падает. Горячий газ из \
                           нагнетательного трубопровода растапливает его за четверть часа, а вентилятор включается через две \
                           минуты. Контроллер Danfoss EKC 202 следит за этим сам.";
    const GERMAN: &str = "Reif auf dem Verdampfer hält die Wärme des Raumes von den Rohren fern, und der Saugdruck fällt. Heißgas \
                          aus der Druckleitung schmilzt ihn in einer Viertelstunde, danach läuft der Ventilator mit Verzögerung an.";
    const JAPANESE: &str =
        "蒸発器に霜が付くと、部屋の熱が管に届かなくなり、吸入圧力が下がります。高温ガスで十五分ほどで溶かします。";
    const CHINESE: &str =
        "蒸发器结霜后,房间的热量传不到管子上,吸气压力就会下降。热气在一刻钟内将霜融化,然后风扇延时启动。";

    fn wrong(question: &str, passage: &str) -> bool {
        wrong_language(question, passage, None)
    }

    #[test]
    fn the_script_tells() {
        assert!(wrong("Почему на испарителе растёт лёд?", ENGLISH));
        assert!(wrong("Why does ice grow on the coil?", RUSSIAN));
        assert!(wrong("low suction pressure, what to do", RUSSIAN));
        assert!(wrong("为什么蒸发器会结霜?", ENGLISH) && wrong("Why does frost form?", JAPANESE));
        assert!(wrong("What does контроллер do when the coil ices up?", RUSSIAN));
    }

    #[test]
    fn terms_in_another_script_are_fine() {
        assert!(!wrong("Как настроить Danfoss EKC 202 и defrost?", RUSSIAN));
        assert!(!wrong("Danfoss EKC 202", RUSSIAN), "its words all stand in the passage");
        assert!(!wrong("настройка EKC 206", RUSSIAN));
        assert!(!wrong("ошибка E7 R717 PT1000", RUSSIAN));
        assert!(!wrong("霜 除去 方法", JAPANESE) && !wrong("蒸発器の霜はなぜ危険ですか?", JAPANESE));
        assert!(!wrong("蒸发器结霜怎么办?", CHINESE));
        let code =
            "set defrost_interval = 8h; set defrost_end_temp = 12; # конец оттайки по температуре, интервал в часах";
        assert!(!wrong("Как задать интервал оттайки?", code), "a passage may be in two scripts");
    }

    #[test]
    fn the_language_tells_where_the_script_is_the_same() {
        assert!(wrong("Warum fällt der Druck, wenn sich auf den Rohren eine Schicht aus Eis gebildet hat?", ENGLISH));
        assert!(wrong("How long does it take until the ice on the pipes of the cooler has gone?", GERMAN));
        assert!(wrong("Чому на трубах охолоджувача з'являється лід і як його позбутися швидше?", RUSSIAN));
        assert!(wrong("Por qué baja la presión cuando se forma hielo en los tubos del enfriador?", ENGLISH));
        assert!(!wrong("Why does ice lower the pressure on the suction side?", ENGLISH));
        assert!(!wrong("Wie lange dauert es, bis das Eis auf den Rohren weg ist?", GERMAN));
        assert!(!wrong("Verdampfer vereist", ENGLISH), "too short to tell");
    }

    #[test]
    fn a_language_that_was_chosen_is_the_one_wanted() {
        assert!(!wrong_language("Почему на испарителе растёт лёд?", ENGLISH, Some(Lang::Rus)));
        assert!(wrong_language("Why does frost form on the coil?", ENGLISH, Some(Lang::Rus)));
        assert!(wrong_language("frost coil", ENGLISH, Some(Lang::Rus)), "though its words stand in the passage");
        assert!(!wrong_language("霜はなぜ付くのですか?", ENGLISH, Some(Lang::Jpn)));
        assert!(!wrong_language("Danfoss EKC 202", RUSSIAN, Some(Lang::Rus)));
        assert!(wrong_language("Why does ice grow on the pipes of the cooler so fast?", ENGLISH, Some(Lang::Deu)));
    }

    #[test]
    fn nothing_is_in_no_language() {
        assert!(!wrong("", ENGLISH) && !wrong("42?", ENGLISH) && !wrong("Why?", "12 34"));
    }
}
