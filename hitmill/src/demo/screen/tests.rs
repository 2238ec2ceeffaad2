use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::demo::plain;
use crate::demo::traffic::{Figures, Totals};

fn guide() -> Guide {
    let path = Path::new("/work/target/release");
    let (read, write) =
        ("hm_r_2xR7Yk0q_5mPpN4d0sVxGqHnEoT3vZbWcLrAiKjUy", "hm_w_9bQe1LtD_XfM2aHs7RkV0yJpOqNuC4gTzBwIdEl6Y");
    Guide::new("127.0.0.1:7700", 1, read, write, Some(path))
}

fn view() -> View {
    let named = |rows: &[(&str, &[u64])]| {
        rows.iter().map(|(name, counts)| ((*name).to_owned(), counts.to_vec())).collect::<Vec<_>>()
    };
    let ms = Duration::from_millis;
    View {
        running: Duration::from_secs(323),
        visitors_now: 1_204,
        today: Sums { page_views: 45_231, purchases: 312, revenue: 64_203_500_000 },
        hour: Sums { page_views: 3_201, purchases: 41, revenue: 8_204_990_000 },
        minutes: (0..120).map(|minute| if minute < 60 { 0 } else { 2_000 + minute * 10 % 500 }).collect(),
        pages: named(&[
            ("/", &[6_120, 4_001]),
            ("/jackets", &[2_900, 2_100]),
            ("/p/fjord-rain-jacket", &[1_544, 1_210]),
        ]),
        sources: named(&[("www.google.com", &[2_311]), ("(direct)", &[1_804]), ("newsletter", &[840])]),
        figures: Figures {
            totals: Totals { fired: 12_345, acked: 12_340, queued: 5, ..Totals::default() },
            shoppers: 57,
            hits_per_second: 51.4,
            ack: Some(Quantiles { p50: ms(4), p99: ms(12) }),
            live: Some(Quantiles { p50: ms(230), p99: ms(410) }),
            trouble: None,
        },
        trouble: None,
    }
}

fn drawn(view: &View, page: Page, (width, height): (u16, u16), colors: bool) -> Terminal<TestBackend> {
    let guide = guide();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let panel = Panel { view, guide: &guide, page, theme: Theme { colors } };
    terminal.draw(|frame| frame.render_widget(panel, frame.area())).unwrap();
    terminal
}

fn check(page: Page, size: (u16, u16), expected: Expect) {
    let terminal = drawn(&view(), page, size, true);
    expected.assert_eq(&plain::text(terminal.backend().buffer()));
}

#[test]
fn a_small_terminal_has_the_table_and_what_is_needed_to_try_it() {
    check(
        Page::Table,
        (80, 24),
        expect![[r#"
            hitmill demo  merchant 1 at http://127.0.0.1:7700    t: try it  q: stop  0:05:23
            visitors now  page views today  purchases today  revenue today      hits/s
            1,204         45,231            312              €64,203            51
            in 5 minutes  3,201 this hour   41 this hour     €8,204 this hour   57 shoppers

            page views per minute                          last minute 2,180, this one 2,190
                                ▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇█▄▄▄▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▆▆
                                ████████████████████████████████████████████████████████████

            top pages today            views  visitors    top sources today         sessions
            /                          6,120     4,001    www.google.com               2,311
            /jackets                   2,900     2,100    (direct)                     1,804
            /p/fjord-rain-jacket       1,544     1,210    newsletter                     840



            fired 12,345   acknowledged 12,340   on their way 5   refused 0
            ack latency p50 4.0 ms, p99 12 ms   end to end p50 230 ms, p99 410 ms
            try it in another terminal   (t shows all)
            # write key, for SDKs: hm_w_9bQe1LtD_XfM2aHs7RkV0yJpOqNuC4gTzBwIdEl6Y
            export HITMILL_SERVER=http://127.0.0.1:7700
            export HITMILL_KEY=hm_r_2xR7Yk0q_5mPpN4d0sVxGqHnEoT3vZbWcLrAiKjUy
            export PATH="/work/target/release:$PATH"
            hitmill watch --merchant 1 --metrics page_views,visitors --by page --limit 20
        "#]],
    );
}

#[test]
fn a_large_terminal_has_all_of_it() {
    check(
        Page::Table,
        (120, 40),
        expect![[r#"
            hitmill demo  merchant 1 at http://127.0.0.1:7700                                            t: try it  q: stop  0:05:23

            visitors now         page views today           purchases today          revenue today                hits/s
            1,204                45,231                     312                      €64,203                      51
            in 5 minutes         3,201 this hour            41 this hour             €8,204 this hour             57 shoppers

            page views per minute                                                                  last minute 2,180, this one 2,190
                                                                        ▁▁▂▂▂▂▂▂▃▃▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▆▇▇▇▇▇▇█      ▁▁▁▁▁▁▂▂▂▂▂▂▃▃
                                                                        ████████████████████████████████████████████████████████████
                                                                        ████████████████████████████████████████████████████████████
                                                                        ████████████████████████████████████████████████████████████
                                                                        ████████████████████████████████████████████████████████████

            top pages today                                  views  visitors    top sources today                           sessions
            /                                                6,120     4,001    www.google.com                                 2,311
            /jackets                                         2,900     2,100    (direct)                                       1,804
            /p/fjord-rain-jacket                             1,544     1,210    newsletter                                       840








            fired 12,345   acknowledged 12,340   on their way 5   refused 0
            ack latency p50 4.0 ms, p99 12 ms   end to end p50 230 ms, p99 410 ms

            try it in another terminal
            # write key, for SDKs: hm_w_9bQe1LtD_XfM2aHs7RkV0yJpOqNuC4gTzBwIdEl6Y
            export HITMILL_SERVER=http://127.0.0.1:7700
            export HITMILL_KEY=hm_r_2xR7Yk0q_5mPpN4d0sVxGqHnEoT3vZbWcLrAiKjUy
            export PATH="/work/target/release:$PATH"
            hitmill watch --merchant 1 --metrics page_views,visitors --by page --limit 20
            hitmill query --merchant 1 --metrics visitors,revenue --granularity hour
            hitmill audit --merchant 1
            curl -H "Authorization: Bearer $HITMILL_KEY" \
              "$HITMILL_SERVER/v1/merchants/1/query?metrics=sessions&by=source&limit=5"
            grpcurl -plaintext 127.0.0.1:7700 list
            curl $HITMILL_SERVER/metrics
        "#]],
    );
}

#[test]
fn the_guide_has_a_page_of_its_own() {
    check(
        Page::Guide,
        (80, 24),
        expect![[r#"
            hitmill demo  merchant 1 at http://127.0.0.1:7700     t: table  q: stop  0:05:23

            try it in another terminal
            # write key, for SDKs: hm_w_9bQe1LtD_XfM2aHs7RkV0yJpOqNuC4gTzBwIdEl6Y
            export HITMILL_SERVER=http://127.0.0.1:7700
            export HITMILL_KEY=hm_r_2xR7Yk0q_5mPpN4d0sVxGqHnEoT3vZbWcLrAiKjUy
            export PATH="/work/target/release:$PATH"
            hitmill watch --merchant 1 --metrics page_views,visitors --by page --limit 20
            hitmill query --merchant 1 --metrics visitors,revenue --granularity hour
            hitmill audit --merchant 1
            curl -H "Authorization: Bearer $HITMILL_KEY" \
              "$HITMILL_SERVER/v1/merchants/1/query?metrics=sessions&by=source&limit=5"
            grpcurl -plaintext 127.0.0.1:7700 list
            curl $HITMILL_SERVER/metrics










        "#]],
    );
}

#[test]
fn plain_text_is_the_table_alone() {
    check(
        Page::Plain,
        (80, 18),
        expect![[r#"
            hitmill demo  merchant 1 at http://127.0.0.1:7700                        0:05:23
            visitors now  page views today  purchases today  revenue today      hits/s
            1,204         45,231            312              €64,203            51
            in 5 minutes  3,201 this hour   41 this hour     €8,204 this hour   57 shoppers

            page views per minute                          last minute 2,180, this one 2,190
                                ▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇█▄▄▄▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▆▆
                                ████████████████████████████████████████████████████████████

            top pages today            views  visitors    top sources today         sessions
            /                          6,120     4,001    www.google.com               2,311
            /jackets                   2,900     2,100    (direct)                     1,804
            /p/fjord-rain-jacket       1,544     1,210    newsletter                     840



            fired 12,345   acknowledged 12,340   on their way 5   refused 0
            ack latency p50 4.0 ms, p99 12 ms   end to end p50 230 ms, p99 410 ms
        "#]],
    );
}

#[test]
fn trouble_stands_in_place_of_the_latencies() {
    let view = View { trouble: Some("the server is gone".to_owned()), ..view() };
    let terminal = drawn(&view, Page::Plain, (80, 18), true);
    let shown = plain::text(terminal.backend().buffer());
    assert_eq!(shown.lines().last(), Some("the server is gone"));
}

#[test]
fn without_colours_there_are_none() {
    let colored = |colors| {
        let terminal = drawn(&view(), Page::Table, (80, 24), colors);
        let cells = terminal.backend().buffer().content();
        cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(colored(true) && !colored(false));
}

#[test]
fn any_size_can_be_drawn() {
    for width in [1, 2, 13, 40, 79, 300] {
        for height in 1..60 {
            drawn(&view(), Page::Table, (width, height), true);
            drawn(&View::default(), Page::Guide, (width, height), true);
        }
    }
}
