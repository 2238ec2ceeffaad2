use std::path::{Path, PathBuf};

/// Where the demo is, as whom it can be asked, and what to try next: lines to be copied into a shell.
#[derive(Clone, Debug)]
pub(crate) struct Guide {
    /// The server's address.
    pub(crate) server: String,
    /// The demo's merchant.
    pub(crate) merchant_id: u64,
    /// The lines, the first ones needed by the others.
    pub(crate) lines: Vec<String>,
}

impl Guide {
    /// The guide to a demo; `path` is the directory of this program, if a shell would not find it.
    pub(super) fn new(
        address: &str,
        merchant_id: u64,
        read_key: &str,
        write_key: &str,
        path: Option<&Path>,
    ) -> Self {
        let server = format!("http://{address}");
        let mut lines = vec![
            format!("# write key, for SDKs: {write_key}"),
            format!("export HITMILL_SERVER={server}"),
            format!("export HITMILL_KEY={read_key}"),
        ];
        lines.extend(path.map(|path| format!("export PATH=\"{}:$PATH\"", path.display())));
        lines.extend([
            format!(
                "hitmill watch --merchant {merchant_id} --metrics page_views,visitors --by page --limit 20"
            ),
            format!("hitmill query --merchant {merchant_id} --metrics visitors,revenue --granularity hour"),
            format!("hitmill audit --merchant {merchant_id}"),
            "curl -H \"Authorization: Bearer $HITMILL_KEY\" \\".to_owned(),
            format!(
                "  \"$HITMILL_SERVER/v1/merchants/{merchant_id}/query?metrics=sessions&by=source&limit=5\""
            ),
            format!("grpcurl -plaintext {address} list"),
            "curl $HITMILL_SERVER/metrics".to_owned(),
        ]);
        Self { server, merchant_id, lines }
    }
}

/// The directory of this program, unless the shell finds it as `hitmill` anyway.
pub(super) fn path_needed() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).find_map(|directory| directory.join("hitmill").canonicalize().ok());
    if found.as_deref() == Some(&program) { None } else { program.parent().map(Path::to_owned) }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_lines_can_be_copied_into_a_shell() {
        let path = Path::new("/work/target/release");
        let guide = Guide::new("127.0.0.1:7700", 1, "hm_r_read", "hm_w_write", Some(path));
        expect![[r#"
            # write key, for SDKs: hm_w_write
            export HITMILL_SERVER=http://127.0.0.1:7700
            export HITMILL_KEY=hm_r_read
            export PATH="/work/target/release:$PATH"
            hitmill watch --merchant 1 --metrics page_views,visitors --by page --limit 20
            hitmill query --merchant 1 --metrics visitors,revenue --granularity hour
            hitmill audit --merchant 1
            curl -H "Authorization: Bearer $HITMILL_KEY" \
              "$HITMILL_SERVER/v1/merchants/1/query?metrics=sessions&by=source&limit=5"
            grpcurl -plaintext 127.0.0.1:7700 list
            curl $HITMILL_SERVER/metrics"#]]
        .assert_eq(&guide.lines.join("\n"));
        let known = Guide::new("127.0.0.1:7700", 1, "hm_r_read", "hm_w_write", None);
        assert_eq!(known.lines.len(), guide.lines.len() - 1);
    }
}
