//! JSON as language models write it.
//!
//! Asked for JSON only, models still put thoughts and fences around it, double its braces, leave commas behind the last
//! element and line breaks inside strings, and stop before the last brace. All of that says the same as valid JSON.

/// Values inside values; more is noise, such as a model that repeats a bracket for ever.
const DEEPEST: usize = 24;

/// A value. Numbers are kept as they were written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A number, `true`, `false` or `null`.
    Bare(String),
    /// A list.
    Array(Vec<Value>),
    /// Properties, in their order.
    Object(Vec<(String, Value)>),
}

/// What a reasoning model said, and what it thought before; the latter is empty for other models.
pub(super) fn said_and_thought(text: &str) -> [&str; 2] {
    match end_of_thought(text) {
        Some(end) => [&text[end..], &text[..end]],
        None => [text, ""],
    }
}

/// Where the thoughts of a reasoning model end.
fn end_of_thought(text: &str) -> Option<usize> {
    const MARK: &[u8] = b"</think>";
    let at = text.as_bytes().windows(MARK.len()).rposition(|window| window.eq_ignore_ascii_case(MARK))?;
    Some(at + MARK.len())
}

/// The objects and arrays of a text that stand in no other, in their order.
pub(super) fn values(text: &str) -> impl Iterator<Item = Value> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += text[at..].find(['{', '['])?;
            let mut parser = Parser { text, at };
            match parser.value(0) {
                Some(value) => {
                    at = parser.at;
                    return Some(value);
                }
                None => at += 1, // both brackets are one byte
            }
        }
    })
}

struct Parser<'a> {
    text: &'a str,
    /// The next byte, always between characters.
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            _ if depth > DEEPEST => None,
            '{' => self.object(depth),
            '[' => self.array(depth),
            '"' => self.string().map(Value::Text),
            _ => self.bare().map(Value::Bare),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat('{');
        if self.peek() == Some('{') {
            // Braces doubled, as in the templates of some languages.
            let inner = self.value(depth + 1)?;
            return (self.eat('}') || self.peek().is_none()).then_some(inner);
        }
        let mut properties = Vec::new();
        loop {
            match self.peek() {
                None => return (!properties.is_empty()).then_some(Value::Object(properties)),
                Some('}') => {
                    self.eat('}');
                    return Some(Value::Object(properties));
                }
                Some('"') => {}
                Some(_) => return None,
            }
            let key = self.string()?;
            if !self.eat(':') {
                return None;
            }
            properties.push((key, self.value(depth + 1)?));
            self.separator('}')?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.eat('[');
        let mut elements = Vec::new();
        loop {
            match self.peek() {
                None => return (!elements.is_empty()).then_some(Value::Array(elements)),
                Some(']') => {
                    self.eat(']');
                    return Some(Value::Array(elements));
                }
                Some(_) => elements.push(self.value(depth + 1)?),
            }
            self.separator(']')?;
        }
    }

    /// A comma, or the end of the list or of the text.
    fn separator(&mut self, end: char) -> Option<()> {
        (self.eat(',') || self.peek().is_none_or(|next| next == end)).then_some(())
    }

    fn string(&mut self) -> Option<String> {
        self.eat('"');
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end = rest.find(['"', '\\'])?;
            string.push_str(&rest[..end]);
            self.at += end + 1;
            if rest[end..].starts_with('"') {
                return Some(string);
            }
            let escaped = self.text[self.at..].chars().next()?;
            self.at += escaped.len_utf8();
            string.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' | 'f' => ' ',
                'u' => self.unicode(),
                other => other,
            });
        }
    }

    /// The character of `\u` and four digits, of two of them where it takes two.
    fn unicode(&mut self) -> char {
        let Some(first) = self.four_digits() else { return char::REPLACEMENT_CHARACTER };
        let Ok(0xD800..=0xDBFF) = u16::try_from(first) else {
            return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
        };
        let start = self.at;
        if self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            if let Some(second @ 0xDC00..=0xDFFF) = self.four_digits() {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
        }
        self.at = start;
        char::REPLACEMENT_CHARACTER
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn bare(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._/".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let known =
            matches!(word, "true" | "false" | "null") || word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        self.at += end;
        known.then(|| word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn all(text: &str) -> Vec<Value> {
        values(text).collect()
    }

    #[test]
    fn what_models_do_to_json_changes_nothing() {
        let plain = all(r#"{"a": "oil", "b": ["x", "y"]}"#);
        assert_eq!(plain.len(), 1);
        for spoilt in [
            "```json\n{\"a\": \"oil\", \"b\": [\"x\", \"y\"]}\n```",
            r#"Sure! {"a": "oil", "b": ["x", "y",],} I hope (a) that helps :-}"#,
            r#"{{"a": "oil", "b": ["x", "y"]}}"#,
            r#"{"a": "oil", "b": ["x", "y"]"#,
            r#"{"a": "oil", "b": ["x", "y""#,
            r#"Use {a, b}: {"a":"\u006fil","b":["x","y"]}"#,
        ] {
            assert_eq!(all(spoilt), plain, "{spoilt}");
        }
    }

    #[test]
    fn thoughts_are_apart() {
        assert_eq!(said_and_thought("<think>draft</THINK>final"), ["final", "<think>draft</THINK>"]);
        assert_eq!(said_and_thought("final"), ["final", ""]);
    }

    #[test]
    fn strings_keep_their_characters() {
        let read = all(r#"["a \"b\" \\ \n \ud83d\ude00 \ud83d \u00e9 \_", "line
break"]"#);
        assert_eq!(read, [Value::Array(vec![text("a \"b\" \\ \n 😀 \u{fffd} é _"), text("line\nbreak")])]);
    }

    #[test]
    fn a_string_that_was_cut_off_is_no_value() {
        assert!(all(r#"{"a": "oil", "b": "half a ques"#).is_empty());
        assert!(all(r"{").is_empty() && all("[[[[").is_empty() && all("{}").len() == 1);
        assert!(all(&"[".repeat(100_000)).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,200}") {
            let _ = all(&text);
        }

        #[test]
        fn any_soup_of_json_can_be_read(text in r#"([\[\]{}",:\\a1 é]|\\u[dD]83[dD]|null|</think>){0,80}"#) {
            let _ = all(&text);
        }
    }
}
