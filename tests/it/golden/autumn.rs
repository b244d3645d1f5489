//! The autumn of 2025, machine-days counted by hand. In Berlin the clocks went back on 26 October at 01:00 UTC.

use chrono::{Datelike as _, NaiveDate, TimeDelta};
use vemsync::report::views::{AUDIT_MONTHLY, RESTORE_AUDIT};

use super::Expected;
use super::story::{Failed, Story, Success, hours, mins};

pub const NOW: &str = "2025-12-10 12:00";

pub fn story() -> Story {
    let mut s = Story::default();
    s.manager(1, "paris").server("srv-a");
    s.job("daily", "Daily", "Backup").job("trial", "Trial", "Backup");

    // Every evening of October and November, ready at 22:30; but not on 10 and 11 October, and on the 25th it takes
    // four hours.
    let first = NaiveDate::from_ymd_opt(2025, 10, 1).expect("a day");
    for day in first.iter_days().take(61).filter(|day| ![(10, 10), (10, 11)].contains(&(day.month(), day.day()))) {
        let length = if (day.month(), day.day()) == (10, 25) { hours(4) } else { mins(30) };
        s.run(&format!("d {day}"), "daily", &format!("{day} 22:00"), length, Success);
        s.vm("steady", TimeDelta::zero(), length, Success, 1000);
    }

    // A machine that was tried out on three evenings, and was good once.
    for (day, result) in [(15, Failed), (16, Failed), (17, Success)] {
        s.run(&format!("t {day}"), "trial", &format!("2025-10-{day} 23:25"), mins(5), result);
        s.vm("fresh", mins(0), mins(5), result, 10);
    }

    // From 02:30 summer time to 02:30 winter time by the clocks of Berlin.
    s.restore("x", ("RestoreVm", "steady"), "2025-10-26 00:30", mins(60), Success);
    s.reading("point", "steady@2025-10-25 22:00:00.5");
    s
}

pub const EXPECTED: &[Expected] = &[(&AUDIT_MONTHLY, MONTHS), (&RESTORE_AUDIT, RESTORES)];

// The RPO is 24 hours; a day counts by its end, the midnight after it.
const MONTHS: &str = "
# month      | server | vms | rpo | jobs | restores | good | tests | gap
#
# October. steady counts on all 31 days. On the 10th and 11th its last good end is that of the 9th at 22:30, more than
# a day before midnight; on the 25th it is that of the 24th, because the evening's run ends on the 26th at 02:00: 28.
# fresh counts from the 15th, when it was first tried, so on 17 days; it was good on the 17th at 23:30, so on one.
# 29 / 48 = 60.4166.
# Runs: 29 evenings, all good, and 3 tries, one good: 30 / 32.
# The longest gap is that of fresh from the 17th at 23:30 to the month's end, 14 days and half an hour; steady had none
# for 3 days from the 9th.
2025-10-01   | srv-a  | 2   | 60.41 | 93.75 | 1     | 100  | 0     | 336
#
# November. steady: 30 of 30. fresh counts until 30 days after its last attempt, 16 November at 23:30, so at the ends
# of 15 days, on none of them within RPO: 30 / 45. Its gap lasts 30 days then.
2025-11-01   | srv-a  | 1   | 66.66 | 100   | 0     | -    | 0     | 720
#
# December, until the 10th at noon. steady: the ends of 9 days, the last good end 30 November at 22:30: at the end of
# the 1st it is 25.5 hours old. The gap is 9 days and 13.5 hours long.
2025-12-01   | srv-a  | 0   | 0     | -     | 0     | -    | 0     | 229
";

const RESTORES: &str = "
# uid | vm   | type      | point | of                    | age  | start            | end              | secs | result  | message | server
# The point is 2 hours, 29 minutes and 59.5 seconds old.
x | steady | RestoreVm | point | 2025-10-25 22:00:00.500 | 8999 | 2025-10-26 00:30 | 2025-10-26 01:30 | 3600 | Success | - | srv-a
";
