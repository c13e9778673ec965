//! What an image of the seed is made of.

use serde_json::{Value, json};
use types::Digest;

use super::CONFIG;

/// An image to be published.
#[derive(Debug)]
pub struct Image {
    pub owner: String,
    pub repository: String,
    pub tags: Vec<String>,
    pub hours: i64,
    pub hold: &'static str,
    pub layers: i64,
    pub architecture: String,
    pub config: String,
    pub subject: Option<Digest>,
    pub text: String,
    /// How many layers, from the bottom, it has in common with every other image that has some.
    pub base: i64,
    /// One more variable of its environment.
    pub variable: Option<&'static str>,
}

impl Image {
    pub fn of(owner: &str, repository: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            tags: Vec::new(),
            hours: 1,
            hold: "did:web:hold.test",
            layers: 2,
            architecture: "amd64".to_owned(),
            config: CONFIG.to_owned(),
            subject: None,
            text: format!("An image of {owner} that shows how {repository} is published, found and pulled"),
            base: 0,
            variable: None,
        }
    }

    pub fn tags(self, tags: &[&str]) -> Self {
        Self { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..self }
    }

    pub fn hours(self, hours: i64) -> Self {
        Self { hours, ..self }
    }

    pub fn hold(self, hold: &'static str) -> Self {
        Self { hold, ..self }
    }

    pub fn layers(self, layers: i64) -> Self {
        Self { layers, ..self }
    }

    pub fn architecture(self, architecture: &str) -> Self {
        Self { architecture: architecture.to_owned(), ..self }
    }

    pub fn config(self, media_type: &str) -> Self {
        Self { config: media_type.to_owned(), ..self }
    }

    pub fn subject(self, subject: &Digest) -> Self {
        Self { subject: Some(subject.clone()), ..self }
    }

    pub fn text(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    pub fn base(self, base: i64) -> Self {
        Self { base, ..self }
    }

    pub fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// The layers' digests and sizes, bottom first.
    pub fn blobs(&self) -> Vec<(Digest, i64)> {
        let layer = |n| {
            let content = if n < self.base { format!("base {n}") } else { format!("{self:?}{n}") };
            (Digest::sha256(content.as_bytes()), 4_700_000_i64 >> n)
        };
        (0..self.layers).map(layer).collect()
    }

    pub fn annotations(&self) -> Value {
        json!({
            "org.opencontainers.image.title": self.text,
            "org.opencontainers.image.description": self.text,
            "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.source": if self.owner == "mallory" { "javascript:alert(1)" } else { "https://example.com/source" },
        })
    }

    pub fn config_bytes(&self) -> Vec<u8> {
        let steps: Vec<Value> = (0..self.layers)
            .map(|n| json!({ "created_by": if n == 0 { "/bin/sh -c #(nop) ADD file:rootfs.tar in / " } else { "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates # buildkit" } }))
            .chain([json!({ "created_by": "CMD [\"/hello\"]", "empty_layer": true })])
            .collect();
        let mut environment = vec!["PATH=/usr/bin:/bin".to_owned(), format!("HOURS={}", self.hours)];
        environment.extend(self.variable.map(str::to_owned));
        json!({
            "os": "linux", "architecture": self.architecture, "history": steps,
            "config": { "Cmd": ["/hello", self.text], "Env": environment,
                        "Labels": { "org.example.label": self.text } },
        })
        .to_string()
        .into_bytes()
    }
}
