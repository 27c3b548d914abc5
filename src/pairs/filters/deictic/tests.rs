use super::*;

fn all(questions: &[&str], wanted: bool) {
    for question in questions {
        assert_eq!(refers_to_the_text(question), wanted, "{question}");
        assert_eq!(refers_to_the_text(&question.to_uppercase()), wanted, "{question}");
    }
}

#[test]
fn english_questions_about_the_text() {
    all(
        &[
            "What does the passage say about oil return?",
            "According to the text, how long does defrosting take?",
            "According to this document, which valve is closed first?",
            "Which refrigerants are mentioned in the article?",
            "What is the main topic of this section?",
            "Why does the author recommend a second receiver?",
            "What do the authors conclude about hot gas?",
            "In the passage, what keeps the coil free of ice?",
            "Which of the following is a natural refrigerant?",
            "What are the steps described above?",
            "How is the pressure mentioned above measured?",
            "What was the purpose of this study?",
            "Which pumps are shown in the figure?",
            "What does Table 3 give?, according to Table 3",
            "Based on the information provided, when is oil drained?",
            "What is the author's opinion of ammonia?",
            "Which safety valves does this chapter cover?",
            "How is brine described in the given excerpt?",
            "What is highlighted by the authors?",
            "How does the aforementioned compressor start?",
        ],
        true,
    );
}

#[test]
fn english_questions_about_texts() {
    all(
        &[
            "How are text messages sent by the alarm unit?",
            "Why does the document scanner pull in two sheets?",
            "What does section 4 of the standard require of vent lines?",
            "How is abstract algebra used in coding?",
            "Can this text editor show line numbers?",
            "How do I change the size of the text in the display?",
            "Which documents must be kept with the pressure vessel?",
            "What must be stated in the declaration of conformity?",
            "How does liquid get into the passage between the rotors?",
            "When does the passage of refrigerant through the valve stop?",
            "Who is the author of the refrigeration handbook of 1952?",
            "What happens above 50 bar or below zero?",
            "Why is the pressure below the set point given on the plate?",
            "How is this section of the pipe vented?",
            "How do I clear a paper jam in this paper tray?",
            "What does article 5 of the regulation say?",
            "Which pipe section is welded first?",
            "How is the guide vane moved by this manual valve?",
            "Why does this compressor trip on high pressure?",
            "Which table is used for cutting meat?",
        ],
        false,
    );
}

#[test]
fn russian_questions() {
    all(
        &[
            "Что в этом тексте сказано о маслоотделителе?",
            "Согласно отрывку, как часто сливают масло?",
            "Согласно тексту, какой клапан закрывают первым?",
            "О чём говорится в данном документе?",
            "Что рекомендует автор?",
            "Как автор статьи объясняет рост давления?",
            "По мнению авторов, чем опасен аммиак?",
            "Какие хладагенты упоминаются в тексте?",
            "Какие насосы показаны на рисунке?",
            "Какова основная мысль отрывка?",
            "Как измеряют указанное выше давление?",
            "Для чего служит вышеупомянутый ресивер?",
            "Какой хладагент из перечисленных самый опасный?",
            "О чём этот раздел?",
            "Что описано в приведённом фрагменте?",
            "В отрывке названы какие причины обмерзания?",
            "Какова цель данного исследования?",
        ],
        true,
    );
    all(
        &[
            "Какие документы нужны для пуска ресивера?",
            "Как отправить текстовое сообщение с контроллера?",
            "Что требует статья 5 закона о промышленной безопасности?",
            "Согласно статье 12, кто отвечает за сосуд?",
            "Чем опасен аммиак согласно обзору от 1955 года?",
            "Как хранить исполнительную документацию?",
            "Что делать, если давление выше допустимого?",
            "Почему температура ниже указанной?",
            "Для чего нужны текстолитовые прокладки?",
            "Как вырезать фрагмент трубы?",
            "Какие данные записывает регистратор?",
            "Кто автор первой холодильной машины?",
            "Что указывают в паспорте сосуда?",
            "Каковы требования раздела 3 правил?",
            "Как разделить потоки в разделительной колонне?",
            "Почему этот компрессор гудит?",
        ],
        false,
    );
}

#[test]
fn german_questions() {
    all(
        &[
            "Was sagt der Text über die Ölrückführung?",
            "Welche Kältemittel werden im Text erwähnt?",
            "Laut dem Dokument: Wie oft wird Öl abgelassen?",
            "Worum geht es in diesem Abschnitt?",
            "Was empfiehlt der Autor gegen Reif?",
            "Welche der oben genannten Ventile sind offen?",
            "Was ist das Thema dieses Artikels?",
            "Welche Schritte sind hier beschrieben?",
            "Nach Ansicht des Verfassers: Was ist gefährlich?",
            "Was ist gemäß dem Text gefährlich?",
        ],
        true,
    );
    all(
        &[
            "Wie sende ich eine Textnachricht vom Regler?",
            "Welche Dokumente gehören zum Druckbehälter?",
            "Was fordert Abschnitt 4 der Norm?",
            "Was gilt gemäß Artikel 5 der Verordnung?",
            "Wie wird dieser Abschnitt der Leitung entlüftet?",
            "Warum ist der Verdampfer oben kälter als unten?",
            "Wer ist der Autor des Handbuchs der Kältetechnik?",
            "Welches Öl passt zu diesem Verdichter?",
        ],
        false,
    );
}

#[test]
fn french_questions() {
    all(
        &[
            "Que dit le texte sur le retour d'huile ?",
            "Selon le document, quand faut-il purger l'huile ?",
            "D'après l'auteur, pourquoi l’ammoniac est-il dangereux ?",
            "Quels fluides sont mentionnés dans ce passage ?",
            "Quel est le sujet de cet article ?",
            "Quelles étapes sont décrites ci-dessus ?",
            "Que recommande l’auteur contre le givre ?",
        ],
        true,
    );
    all(
        &[
            "Comment envoyer un message texte depuis le régulateur ?",
            "Que prévoit l'article 5 du règlement ?",
            "Quels documents faut-il garder avec le récipient ?",
            "Selon l'article 12, qui est responsable ?",
            "Pourquoi le passage du fluide est-il bloqué ?",
            "Qui est l'auteur du manuel du frigoriste ?",
        ],
        false,
    );
}

#[test]
fn spanish_questions() {
    all(
        &[
            "¿Qué dice el texto sobre el retorno de aceite?",
            "Según el documento, ¿cuándo se purga el aceite?",
            "¿Qué refrigerantes se mencionan en este pasaje?",
            "¿Cuál es el tema de este artículo?",
            "Según los autores, ¿por qué es peligroso el amoníaco?",
            "¿Qué recomienda el autor contra la escarcha?",
            "¿Qué pasos se han descrito anteriormente?",
        ],
        true,
    );
    all(
        &[
            "¿Cómo se envía un mensaje de texto desde el regulador?",
            "¿Qué exige el artículo 5 del reglamento?",
            "Según el artículo 12, ¿quién responde?",
            "¿Qué documentos acompañan al recipiente?",
            "¿Quién es el autor del manual de refrigeración?",
            "¿Por qué se bloquea el paso del refrigerante?",
        ],
        false,
    );
}

#[test]
fn no_phrase_is_empty() {
    assert!(!refers_to_the_text("") && !refers_to_the_text("?"));
}
