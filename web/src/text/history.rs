//! An image's configuration as people read it: what it runs, and which instruction made which layer.

use serde::Deserialize;

/// The parts of an [image configuration](https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md) that are
/// shown. A stranger's text throughout.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// What it runs as, and how.
    pub config: Option<Execution>,
    /// `linux`, …
    pub os: Option<String>,
    /// `amd64`, …
    pub architecture: Option<String>,
    /// `v7`, …
    pub variant: Option<String>,
    /// When it was built, by its builder's clock.
    pub created: Option<String>,
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
    /// Folders that outlive a container.
    pub volumes: Option<serde_json::Map<String, serde_json::Value>>,
    /// What asks it to stop.
    pub stop_signal: Option<String>,
    /// Labels.
    pub labels: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    created_by: Option<String>,
    comment: Option<String>,
    empty_layer: bool,
}

/// One step of an image's history.
#[derive(Debug, PartialEq, Eq)]
pub struct Instruction {
    /// As a Dockerfile would say it; a command of several parts on several lines.
    pub text: String,
    /// Whether it made a layer.
    pub layer: bool,
}

/// What a Dockerfile's lines begin with.
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];
/// Steps that are read, and characters of one.
const MOST_STEPS: usize = 500;
const MOST_CHARACTERS: usize = 2_000;

impl Instruction {
    /// The keyword, if it begins with one, and the rest.
    pub fn split(&self) -> (Option<&str>, &str) {
        match self.text.split_once(' ') {
            Some((word, rest)) if KEYWORDS.contains(&word) => (Some(word), rest),
            _ => (None, &self.text),
        }
    }
}

impl ImageConfig {
    /// Reads a configuration; what does not parse is an empty one, since artifacts put anything there.
    pub fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// `os/architecture[/variant]`
    pub fn platform(&self) -> Option<String> {
        let said = |part: &Option<String>| part.clone().filter(|part| !part.trim().is_empty());
        let parts = [Some(said(&self.os)?), Some(said(&self.architecture)?), said(&self.variant)];
        Some(parts.into_iter().flatten().collect::<Vec<_>>().join("/"))
    }

    /// The history from the first step to the last.
    pub fn instructions(&self) -> Vec<Instruction> {
        let steps = self.history.iter().flatten();
        let instruction = |step: &Step| Instruction {
            text: readable(step.created_by.as_deref().or(step.comment.as_deref()).unwrap_or_default()),
            layer: !step.empty_layer,
        };
        steps.take(MOST_STEPS).map(instruction).collect()
    }

    /// What it runs as, in the order that people ask; labels are left out.
    pub fn execution(&self) -> Vec<(String, String)> {
        let Some(config) = &self.config else { return Vec::new() };
        let words = |words: &Option<Vec<String>>| words.as_ref().map(|words| quoted(words));
        let keys = |map: &Option<serde_json::Map<_, _>>| {
            map.as_ref().map(|map| map.keys().cloned().collect::<Vec<_>>().join(", "))
        };
        let single = [
            ("Entrypoint", words(&config.entrypoint)),
            ("Command", words(&config.cmd)),
            ("User", config.user.clone()),
            ("Working folder", config.working_dir.clone()),
            ("Ports", keys(&config.exposed_ports)),
            ("Volumes", keys(&config.volumes)),
            ("Stop signal", config.stop_signal.clone()),
        ];
        let single = single.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let environment = config.env.iter().flatten().map(|variable| {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            (format!("${name}"), value.to_owned())
        });
        single.chain(environment).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Words as a shell would take them: those with spaces in quotes.
fn quoted(words: &[String]) -> String {
    let word = |word: &String| {
        if word.is_empty() || word.contains([' ', '\'', '"', '\n', '\t']) { format!("{word:?}") } else { word.clone() }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Takes the builders' wrapping off an instruction.
fn readable(created_by: &str) -> String {
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    let nop = ["/bin/sh -c #(nop)", "cmd /S /C #(nop)"].iter().find_map(|shell| text.strip_prefix(shell));
    let text = match nop {
        Some(instruction) => instruction.trim().to_owned(),
        None => match text.strip_prefix("RUN ").unwrap_or(text).split_once("/bin/sh -c ") {
            // Before the shell, BuildKit writes the build's arguments: `|2 A=1 B=2`.
            Some((arguments, command)) if arguments.is_empty() || arguments.starts_with('|') => {
                format!("RUN {}", broken(command.trim()))
            }
            _ => text.to_owned(),
        },
    };
    text.chars().take(MOST_CHARACTERS).collect()
}

/// A chain of commands, one a line.
fn broken(command: &str) -> String {
    let parts: Vec<&str> = command.split("&&").map(str::trim).collect();
    parts.join(" \\\n  && ")
}

#[cfg(test)]
mod tests {
    use super::{ImageConfig, Instruction};

    #[test]
    fn instructions_read_like_a_dockerfile() {
        let config = ImageConfig::parse(
            br#"{"config":{"Env":["A=b"],"Cmd":["/hello"]},"history":[
                {"created_by":"/bin/sh -c #(nop) ADD file:ab in / "},
                {"created_by":"/bin/sh -c apt-get update"},
                {"created_by":"RUN /bin/sh -c make # buildkit"},
                {"created_by":"ENV A=b","empty_layer":true},
                {"created_by":"RUN |1 V=1 /bin/sh -c cd x && make # buildkit"},
                {"comment":"imported"},
                {}]}"#,
        );
        let steps: Vec<_> = config.instructions().into_iter().map(|step| (step.text, step.layer)).collect();
        let expected = [
            ("ADD file:ab in /", true),
            ("RUN apt-get update", true),
            ("RUN make", true),
            ("ENV A=b", false),
            ("RUN cd x \\\n  && make", true),
            ("imported", true),
            ("", true),
        ];
        assert_eq!(steps, expected.map(|(text, layer)| (text.to_owned(), layer)));
        let execution = config.execution();
        let execution: Vec<_> = execution.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(execution, [("Command", "/hello"), ("$A", "b")]);
    }

    #[test]
    fn keywords_are_told_from_words() {
        let split = |text: &str| {
            let instruction = Instruction { text: text.into(), layer: true };
            let (keyword, rest) = instruction.split();
            (keyword.map(str::to_owned), rest.to_owned())
        };
        assert_eq!(split("RUN a b"), (Some("RUN".into()), "a b".into()));
        assert_eq!(split("Run a b"), (None, "Run a b".into()));
        assert_eq!(split("CMD"), (None, "CMD".into()));
    }

    #[test]
    fn anything_else_is_empty() {
        for odd in ["", "null", "[]", "{\"history\":3}", "{\"config\":null,\"history\":null}"] {
            assert!(ImageConfig::parse(odd.as_bytes()).instructions().is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_platform_that_nobody_set_is_none() {
        let of = |config: &str| ImageConfig::parse(config.as_bytes()).platform();
        assert_eq!(of(r#"{"os":"","architecture":""}"#), None);
        assert_eq!(of(r#"{"os":"linux"}"#), None);
        assert_eq!(of(r#"{"os":"linux","architecture":"arm","variant":""}"#).as_deref(), Some("linux/arm"));
    }
}
