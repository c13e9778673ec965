//! An image's configuration as people read it: what it runs, and which instruction made which layer.

use serde::Deserialize;

/// The parts of an [image configuration](https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md) that are
/// shown. A stranger's text throughout.
#[derive(Debug, Default, Deserialize)]
pub struct ImageConfig {
    /// What it runs as, and how.
    #[serde(default)]
    pub config: Option<Execution>,
    #[serde(default)]
    history: Option<Vec<Step>>,
}

/// `config` of an image configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    /// The user, if not root.
    pub user: Option<String>,
    /// Ports that it means to listen on.
    pub exposed_ports: Option<serde_json::Map<String, serde_json::Value>>,
    /// `NAME=value`
    pub env: Option<Vec<String>>,
    /// The program.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, unless others are given.
    pub cmd: Option<Vec<String>>,
    /// The folder it starts in.
    pub working_dir: Option<String>,
    /// Labels.
    pub labels: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    created_by: Option<String>,
    empty_layer: bool,
}

/// One step of an image's history.
#[derive(Debug, PartialEq, Eq)]
pub struct Instruction {
    /// As a Dockerfile would say it.
    pub text: String,
    /// Whether it made a layer.
    pub layer: bool,
}

impl ImageConfig {
    /// Reads a configuration; what does not parse is an empty one, since artifacts put anything there.
    pub fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// The history from the first step to the last.
    pub fn instructions(&self) -> Vec<Instruction> {
        let steps = self.history.iter().flatten();
        let instruction = |step: &Step| Instruction {
            text: readable(step.created_by.as_deref().unwrap_or_default()),
            layer: !step.empty_layer,
        };
        steps.take(500).map(instruction).collect()
    }
}

/// Takes the builders' wrapping off an instruction.
fn readable(created_by: &str) -> String {
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    let text = match text.strip_prefix("/bin/sh -c #(nop)") {
        Some(instruction) => instruction.trim().to_owned(),
        None => match text.strip_prefix("/bin/sh -c ") {
            Some(command) => format!("RUN {}", command.trim()),
            None => text.replacen("RUN /bin/sh -c ", "RUN ", 1),
        },
    };
    text.chars().take(2_000).collect()
}

#[cfg(test)]
mod tests {
    use super::ImageConfig;

    #[test]
    fn instructions_read_like_a_dockerfile() {
        let config = ImageConfig::parse(
            br#"{"config":{"Env":["A=b"],"Cmd":["/hello"]},"history":[
                {"created_by":"/bin/sh -c #(nop) ADD file:ab in / "},
                {"created_by":"/bin/sh -c apt-get update"},
                {"created_by":"RUN /bin/sh -c make # buildkit"},
                {"created_by":"ENV A=b","empty_layer":true},
                {}]}"#,
        );
        let steps: Vec<_> = config.instructions().into_iter().map(|step| (step.text, step.layer)).collect();
        let expected = [
            ("ADD file:ab in /", true),
            ("RUN apt-get update", true),
            ("RUN make", true),
            ("ENV A=b", false),
            ("", true),
        ];
        assert_eq!(steps, expected.map(|(text, layer)| (text.to_owned(), layer)));
        assert_eq!(config.config.unwrap().cmd.unwrap(), ["/hello"]);
    }

    #[test]
    fn anything_else_is_empty() {
        for odd in ["", "null", "[]", "{\"history\":3}", "{\"config\":null,\"history\":null}"] {
            assert!(ImageConfig::parse(odd.as_bytes()).instructions().is_empty(), "{odd}");
        }
    }
}
