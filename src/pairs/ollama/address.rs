//! Where an Ollama server is, as its users write it.

use std::fmt;

use super::Trouble;

/// The port on which Ollama listens.
const PORT: u16 = 11434;
/// The variable in which Ollama's own programs look for the server.
const VARIABLE: &str = "OLLAMA_HOST";

/// The address of an Ollama server: scheme, host, port, and a path where a proxy adds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(reqwest::Url);

impl Address {
    /// Reads an address as `OLLAMA_HOST` is read: `http://gpu:11434`, `gpu`, `gpu:8080`, `:8080`. The address on which a
    /// server listens to everyone, `0.0.0.0`, is this machine.
    pub fn parse(given: &str) -> Result<Self, Trouble> {
        let wrong = |problem: &str| Trouble::Address { given: given.to_owned(), problem: problem.to_owned() };
        let text = given.trim().trim_matches(['"', '\'']);
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        match scheme {
            "http" => {}
            "https" => {
                return Err(wrong(
                    "this lapidary speaks plain HTTP only; forward the port instead, with `ssh -L 11434:127.0.0.1:11434 HOST`",
                ));
            }
            _ => return Err(wrong("the scheme is not http")),
        }
        let rest = rest.strip_prefix(':').map_or_else(|| rest.to_owned(), |port| format!("127.0.0.1:{port}"));
        let mut url = reqwest::Url::parse(&format!("http://{rest}")).map_err(|error| wrong(&error.to_string()))?;
        if matches!(url.host_str(), Some("0.0.0.0" | "[::]")) {
            url.set_host(Some("127.0.0.1")).map_err(|error| wrong(&error.to_string()))?;
        }
        // `http://host` is Ollama's port for Ollama, and so it is here; only a written port is another.
        if url.port().is_none() && !rest.split('/').next().unwrap_or_default().ends_with(":80") {
            url.set_port(Some(PORT)).map_err(|()| wrong("it takes no port"))?;
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The address that the environment names, else Ollama's own on this machine.
    pub fn from_environment() -> Result<Self, Trouble> {
        let given = std::env::var(VARIABLE).unwrap_or_default();
        Self::parse(if given.trim().is_empty() { "127.0.0.1" } else { &given })
    }

    /// Whether it is this machine: what runs there shares its GPUs with us.
    pub fn is_here(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }

    /// One of its resources: `api/chat`.
    pub(super) fn resource(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    pub(super) const fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_ollama_reads_it() {
        for (given, expected) in [
            ("gpu", "http://gpu:11434"),
            ("gpu:8080", "http://gpu:8080"),
            (":8080", "http://127.0.0.1:8080"),
            ("http://gpu", "http://gpu:11434"),
            ("http://gpu:80", "http://gpu"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("[::1]:7", "http://[::1]:7"),
            ("http://gate/ollama", "http://gate:11434/ollama"),
            (" \"127.0.0.1:11434\" ", "http://127.0.0.1:11434"),
        ] {
            assert_eq!(Address::parse(given).unwrap().to_string(), expected, "{given}");
        }
        let resource = Address::parse("http://gate/ollama").unwrap().resource("api/tags");
        assert_eq!(resource, "http://gate:11434/ollama/api/tags");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        for (given, word) in [("", "empty"), ("https://gpu", "ssh -L"), ("ftp://gpu", "not http"), ("a b", "domain")] {
            let error = Address::parse(given).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("http://127.0.0.1:11434"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        assert!(Address::parse("localhost").unwrap().is_here() && Address::parse("[::1]").unwrap().is_here());
        assert!(!Address::parse("gpu").unwrap().is_here());
    }
}
