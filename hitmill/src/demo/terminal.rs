//! The table on a terminal.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::guide::Guide;
use super::screen::{Page, Panel, Theme};
use super::view::View;

/// Between two pictures.
const EVERY: Duration = Duration::from_millis(250);
/// Between two looks at whether keys are still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// A key, as far as it means something; or a new size.
enum Pressed {
    Stop,
    Turn,
    Nothing,
}

/// Shows the table until `end`, or until somebody wants to stop.
pub(super) async fn show(
    view: impl Fn() -> View,
    guide: &Guide,
    theme: Theme,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut screen = Screen::open()?;
    let mut keys = keys()?;
    let mut ticks = tokio::time::interval(EVERY);
    let mut page = Page::Table;
    tokio::pin!(end);
    loop {
        let view = view();
        let panel = Panel { view: &view, guide, page, theme };
        screen.0.draw(|frame| frame.render_widget(panel, frame.area()))?;
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = ticks.tick() => {}
            pressed = keys.recv() => match pressed {
                Some(Pressed::Turn) => page = if page == Page::Table { Page::Guide } else { Page::Table },
                Some(Pressed::Nothing) => {}
                Some(Pressed::Stop) | None => return Ok(()),
            },
        }
    }
}

/// The terminal as ours. However this ends, it is given back as it was: dropped, or, in a panic, by ratatui's hook.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        // It may have come half the way.
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Keys, from a thread of its own: reading them blocks. It ends when nobody listens, or when the terminal is gone.
fn keys() -> io::Result<mpsc::UnboundedReceiver<Pressed>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let read = move || -> io::Result<()> {
        while !sender.is_closed() {
            // An error says that nobody listens any more, which the loop will see.
            if event::poll(LOOK)? && sender.send(meaning(&event::read()?)).is_err() {
                break;
            }
        }
        Ok(())
    };
    std::thread::Builder::new().name("demo-keys".into()).spawn(read)?;
    Ok(receiver)
}

fn meaning(event: &Event) -> Pressed {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Pressed::Stop,
            // Raw mode makes a key of it, not a signal.
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Pressed::Stop,
            KeyCode::Char('t') => Pressed::Turn,
            _ => Pressed::Nothing,
        },
        _ => Pressed::Nothing,
    }
}
