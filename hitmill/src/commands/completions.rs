use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a script that lets a shell complete hitmill's commands.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill completions bash > ~/.local/share/bash-completion/completions/hitmill
  hitmill completions zsh > ~/.zfunc/_hitmill
  hitmill completions fish > ~/.config/fish/completions/hitmill.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run<C: CommandFactory>(self) -> anyhow::Result<()> {
        // Made in memory first: the generator panics when its reader goes away.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut C::command(), "hitmill", &mut script);
        Ok(std::io::stdout().lock().write_all(&script)?)
    }
}
