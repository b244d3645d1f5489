//! How jobs fared: runs, days, failures, and what still runs.

use vemsync::report::views::{FAILURES, JOB_DAILY_RESULTS, JOB_RUNS, JOB_STATUS, RUNNING_SESSIONS};

use super::Expected;

pub const EXPECTED: &[Expected] = &[
    (&JOB_RUNS, RUNS),
    (&JOB_STATUS, STATUS),
    (&JOB_DAILY_RESULTS, DAYS),
    (&FAILURES, FAILED_OR_WARNED),
    (&RUNNING_SESSIONS, RUNNING),
];

const RUNS: &str = r"
# kind           | session | job        | name    | type                | server uid | server | start | end           | secs   | runs | retry | result | message     | tasks | warned | failed | size
BackupJobSession | n1  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 02-20 22:00 | 02-20 22:30 | 1800   | no  | no  | Success | -                  | 2 | 0 | 0 | 6000
BackupJobSession | n2  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-01 12:30 | 03-01 12:50 | 1200   | no  | no  | Success | -                  | 1 | 0 | 0 | 1200
BackupJobSession | n3  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-24 22:00 | 03-24 23:00 | 3600   | no  | no  | Success | -                  | 2 | 0 | 0 | 7300
BackupJobSession | n4  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-27 22:00 | 03-27 22:10 | 600    | no  | no  | Failed  | 1 of 2 failed      | 2 | 0 | 1 | 6100
BackupJobSession | n5  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-27 22:20 | 03-27 22:40 | 1200   | no  | yes | Success | -                  | 1 | 0 | 0 | 1350
BackupJobSession | n6  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-28 22:00 | 03-28 22:50 | 3000   | no  | no  | Success | -                  | 2 | 0 | 0 | 7600
BackupJobSession | n7  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-28 23:30 | 03-29 00:10 | 2400   | no  | yes | Failed  | 1 of 1 failed      | 1 | 0 | 1 | 0
BackupJobSession | n8  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-29 22:00 | 03-29 22:05 | 300    | no  | no  | Failed  | 1 of 2 failed      | 2 | 0 | 1 | 6300
BackupJobSession | n9  | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-29 22:15 | 03-29 22:20 | 300    | no  | yes | Failed  | 1 of 1 failed      | 1 | 0 | 1 | 0
BackupJobSession | n10 | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-29 22:30 | 03-29 22:35 | 300    | no  | yes | Failed  | 1 of 1 failed      | 1 | 0 | 1 | 0
BackupJobSession | n11 | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-29 23:50 | 03-30 00:30 | 2400   | no  | yes | Warning | tracking was reset | 1 | 1 | 0 | 1450
# web runs and counts as neither.
BackupJobSession | n12 | nightly@a  | Nightly | Backup              | srv-a | srv-a | 03-31 11:00 | -           | -      | yes | no  | None    | -                  | 2 | 0 | 0 | 6400
# The name is today's.
BackupJobSession | f1  | files@a    | Files   | Backup              | srv-a | srv-a | 02-20 01:00 | 02-20 01:15 | 900    | no  | no  | Success | -                  | 1 | 0 | 0 | 2000
BackupJobSession | f2  | files@a    | Files   | Backup              | srv-a | srv-a | 03-22 01:00 | 03-22 01:20 | 1200   | no  | no  | Success | -                  | 1 | 0 | 0 | 2500
BackupJobSession | f3  | files@a    | Files   | Backup              | srv-a | srv-a | 03-24 12:30 | 03-24 12:40 | 600    | no  | no  | Warning | 2 warned           | 2 | 2 | 0 | 2600
BackupJobSession | f4  | files@a    | Files   | Backup              | srv-a | srv-a | 03-29 00:30 | 03-29 01:30 | 3600   | no  | no  | Success | -                  | 2 | 0 | 0 | 4110
BackupJobSession | f5  | files@a    | Files   | Backup              | srv-a | srv-a | 03-30 01:00 | 03-30 01:05 | 300    | no  | no  | None    | -                  | 1 | 0 | 0 | 0
BackupJobSession | f6  | files@a    | Files   | Backup              | srv-a | srv-a | 03-31 01:00 | -           | -      | yes | no  | Success | -                  | 0 | 0 | 0 | -
# The deleted job has no part in the workers of the one that took its name, nor has the one on the other server.
BackupJobSession | c0  | old copy@a | Copy    | ImmediateBackupCopy | srv-a | srv-a | 03-05 06:00 | 03-05 06:30 | 1800   | no  | no  | Success | -                  | 0 | 0 | 0 | -
BackupJobSession | cb  | copy@b     | Copy    | ImmediateBackupCopy | srv-b | srv-b | 03-27 06:00 | 03-27 06:01 | 60     | no  | no  | Success | -                  | 0 | 0 | 0 | -
# w1 and w2 began while c1 was the last run of their job (web; web and db), w3 and w4 after c2 (db; web).
BackupJobSession | c1  | copy@a     | Copy    | ImmediateBackupCopy | srv-a | srv-a | 03-27 06:00 | 03-29 05:58 | 172680 | no  | no  | Success | -                  | 3 | 0 | 1 | 7550
BackupJobSession | c2  | copy@a     | Copy    | ImmediateBackupCopy | srv-a | srv-a | 03-29 06:00 | -           | -      | yes | no  | None    | -                  | 2 | 1 | 0 | 6300
# pc-1 of its own, pc-7 of its child.
BackupJobSession | l1  | laptops@a  | Laptops | AgentBackup         | srv-a | srv-a | 03-28 09:00 | 03-28 09:10 | 600    | no  | no  | Warning | 1 warned           | 2 | 1 | 0 | 800
ReplicaJobSession | r1 | dr@a       | DR      | Replica             | srv-a | srv-a | 03-29 02:00 | 03-29 02:45 | 2700   | no  | no  | Success | -                  | 1 | 0 | 0 | 6200
ReplicaJobSession | r2 | dr@a       | DR      | Replica             | srv-a | srv-a | 03-30 02:00 | 03-30 02:10 | 600    | no  | no  | Failed  | no host            | 1 | 0 | 1 | 0
ReplicaJobSession | r3 | dr@a       | DR      | Replica             | srv-a | srv-a | 03-31 02:00 | 03-31 02:30 | 1800   | no  | no  | Failed  | no host            | 1 | 0 | 1 | 0
BackupJobSession | nb  | nightly@b  | Nightly | Backup              | srv-b | srv-b | 03-30 22:00 | 03-30 22:20 | 1200   | no  | no  | Success | -                  | 1 | 0 | 0 | 700
BackupJobSession | wk1 | weekly@b   | Weekly  | Backup              | srv-b | srv-b | 03-17 03:00 | 03-17 05:00 | 7200   | no  | no  | Success | -                  | 1 | 0 | 0 | 10000
BackupJobSession | wk2 | weekly@b   | Weekly  | Backup              | srv-b | srv-b | 03-25 03:00 | 03-25 05:00 | 7200   | no  | no  | Success | -                  | 1 | 0 | 0 | 10500
";

// The last 7 days began on 24 March at 12:00, the last 30 on 1 March at 12:00.
const STATUS: &str = r"
# job       | name | type | server              | last start  | result  | last good   | hours | 7 days: runs, strict, good, repaired | 30 days: the same | last | median | scheduled | missing
#
# nightly@a: n12 runs and does not count. Within 7 days n3 to n11: 9 runs, 3 Success (n3, n5, n6), 1 Warning; n5 and n11
# are good after a run that failed. Within 30 days n2 as well: 10 runs, 4 and 5. Lengths 300 300 300 600 1200 1200 2400
# 2400 3000 3600: the fifth.
nightly@a  | Nightly | Backup              | srv-a | 03-29 23:50 | Warning | 03-30 00:30 | 35  | 9 | 33.33 | 44.44 | 2 | 10 | 40    | 50    | 2 | 2400   | 1200   | yes | -
#
# files@a: within 7 days f3 W, f4 S, f5 None; within 30 f2 S too. Lengths 300 600 1200 3600: the second.
files@a    | Files   | Backup              | srv-a | 03-30 01:00 | None    | 03-29 01:30 | 58  | 3 | 33.33 | 66.66 | 0 | 4  | 50    | 75    | 0 | 300    | 600    | yes | -
copy@a     | Copy    | ImmediateBackupCopy | srv-a | 03-27 06:00 | Success | 03-29 05:58 | 54  | 1 | 100   | 100   | 0 | 1  | 100   | 100   | 0 | 172680 | 172680 | yes | -
old copy@a | Copy    | ImmediateBackupCopy | srv-a | 03-05 06:00 | Success | 03-05 06:30 | 629 | 0 | -     | -     | 0 | 1  | 100   | 100   | 0 | 1800   | 1800   | -   | 03-10 09:00
laptops@a  | Laptops | AgentBackup         | srv-a | 03-28 09:00 | Warning | 03-28 09:10 | 74  | 1 | 0     | 100   | 0 | 1  | 0     | 100   | 0 | 600    | 600    | no  | -
# Lengths 600 1800 2700.
dr@a       | DR      | Replica             | srv-a | 03-31 02:00 | Failed  | 03-29 02:45 | 57  | 3 | 33.33 | 33.33 | 0 | 3  | 33.33 | 33.33 | 0 | 1800   | 1800   | yes | -
nightly@b  | Nightly | Backup              | srv-b | 03-30 22:00 | Success | 03-30 22:20 | 13  | 1 | 100   | 100   | 0 | 1  | 100   | 100   | 0 | 1200   | 1200   | yes | -
weekly@b   | Weekly  | Backup              | srv-b | 03-25 03:00 | Success | 03-25 05:00 | 151 | 1 | 100   | 100   | 0 | 2  | 100   | 100   | 0 | 7200   | 7200   | yes | -
copy@b     | Copy    | ImmediateBackupCopy | srv-b | 03-27 06:00 | Success | 03-27 06:01 | 101 | 1 | 100   | 100   | 0 | 1  | 100   | 100   | 0 | 60     | 60     | yes | -
# It never ran.
new@b      | New     | Backup              | srv-b | -           | -       | -           | -   | 0 | -     | -     | 0 | 0  | -     | -     | 0 | -      | -      | yes | -
";

const DAYS: &str = r"
# day | job        | name    | server | runs | retries | result | good | failed
02-20 | nightly@a  | Nightly | srv-a  | 1    | 0       | Success | 2   | 0
03-01 | nightly@a  | Nightly | srv-a  | 1    | 0       | Success | 1   | 0
03-24 | nightly@a  | Nightly | srv-a  | 1    | 0       | Success | 2   | 0
# The retry repairs the day: web failed, then it and db were good.
03-27 | nightly@a  | Nightly | srv-a  | 2    | 1       | Success | 2   | 1
# The success does not hide the retry, which began on this day and ended on the next.
03-28 | nightly@a  | Nightly | srv-a  | 2    | 1       | Failed  | 2   | 1
03-29 | nightly@a  | Nightly | srv-a  | 4    | 3       | Warning | 2   | 3
# Still running, with one machine done.
03-31 | nightly@a  | Nightly | srv-a  | 0    | 0       | -       | 1   | 0
02-20 | files@a    | Files   | srv-a  | 1    | 0       | Success | 1   | 0
03-22 | files@a    | Files   | srv-a  | 1    | 0       | Success | 1   | 0
03-24 | files@a    | Files   | srv-a  | 1    | 0       | Warning | 2   | 0
03-29 | files@a    | Files   | srv-a  | 1    | 0       | Success | 2   | 0
# What ended without a result is neither good nor failed. The run of the 31st has no end, and no tasks: no line.
03-30 | files@a    | Files   | srv-a  | 1    | 0       | None    | 0   | 0
03-05 | old copy@a | Copy    | srv-a  | 1    | 0       | Success | 0   | 0
# c1, with the web of w1; then days on which only workers ran (w2; w3, while c2 runs). w4 has nothing to show yet.
03-27 | copy@a     | Copy    | srv-a  | 1    | 0       | Success | 1   | 0
03-28 | copy@a     | Copy    | srv-a  | 0    | 0       | -       | 1   | 1
03-29 | copy@a     | Copy    | srv-a  | 0    | 0       | -       | 1   | 0
03-28 | laptops@a  | Laptops | srv-a  | 1    | 0       | Warning | 2   | 0
03-29 | dr@a       | DR      | srv-a  | 1    | 0       | Success | 1   | 0
03-30 | dr@a       | DR      | srv-a  | 1    | 0       | Failed  | 0   | 1
03-31 | dr@a       | DR      | srv-a  | 1    | 0       | Failed  | 0   | 1
03-30 | nightly@b  | Nightly | srv-b  | 1    | 0       | Success | 1   | 0
03-17 | weekly@b   | Weekly  | srv-b  | 1    | 0       | Success | 1   | 0
03-25 | weekly@b   | Weekly  | srv-b  | 1    | 0       | Success | 1   | 0
03-27 | copy@b     | Copy    | srv-b  | 1    | 0       | Success | 0   | 0
";

// Of workers and children only the tasks are listed.
const FAILED_OR_WARNED: &str = r"
# kind                | uid         | end         | result  | server | job | vm | reason                               | group               | good since
BackupJobSession      | n4          | 03-27 22:10 | Failed  | srv-a | Nightly | -     | 1 of 2 failed      | ~1 of 2 failed      | yes
BackupJobSession      | n7          | 03-29 00:10 | Failed  | srv-a | Nightly | -     | 1 of 1 failed      | ~1 of 1 failed      | yes
BackupJobSession      | n8          | 03-29 22:05 | Failed  | srv-a | Nightly | -     | 1 of 2 failed      | ~1 of 2 failed      | yes
BackupJobSession      | n9          | 03-29 22:20 | Failed  | srv-a | Nightly | -     | 1 of 1 failed      | ~1 of 1 failed      | yes
BackupJobSession      | n10         | 03-29 22:35 | Failed  | srv-a | Nightly | -     | 1 of 1 failed      | ~1 of 1 failed      | yes
# Since then the job only runs; the good run of the other server's Nightly is none of its own.
BackupJobSession      | n11         | 03-30 00:30 | Warning | srv-a | Nightly | -     | tracking was reset | ~tracking was reset | no
BackupJobSession      | f3          | 03-24 12:40 | Warning | srv-a | Files   | -     | 2 warned           | ~2 warned           | yes
BackupJobSession      | l1          | 03-28 09:10 | Warning | srv-a | Laptops | -     | 1 warned           | ~1 warned           | no
ReplicaJobSession     | r2          | 03-30 02:10 | Failed  | srv-a | DR      | -     | no host            | ~no host            | no
ReplicaJobSession     | r3          | 03-31 02:30 | Failed  | srv-a | DR      | -     | no host            | ~no host            | no
CdpReplicaSession     | p5          | 03-30 14:59:20 | Warning | srv-a | Gold | -     | bandwidth          | ~bandwidth          | no
# The other restore began earlier and was good at 10:40, after this one had failed.
RestoreSession        | x3          | 03-30 10:01 | Failed  | srv-a | -       | db    | mount failed       | ~mount failed       | yes
CloudFailoverSession  | y2          | 03-30 05:01 | Failed  | srv-a | Site B  | -     | no network         | ~no network         | no
BackupTaskSession     | n4/web      | 03-27 22:10 | Failed  | srv-a | Nightly | web   | cannot reach host  | ~cannot reach host  | yes
BackupTaskSession     | n7/web      | 03-29 00:10 | Failed  | srv-a | Nightly | web   | disk full          | ~disk full          | yes
BackupTaskSession     | n8/web      | 03-29 22:05 | Failed  | srv-a | Nightly | web   | snapshot timeout   | ~snapshot timeout   | yes
BackupTaskSession     | n9/web      | 03-29 22:20 | Failed  | srv-a | Nightly | web   | snapshot timeout   | ~snapshot timeout   | yes
BackupTaskSession     | n10/web     | 03-29 22:35 | Failed  | srv-a | Nightly | web   | snapshot timeout   | ~snapshot timeout   | yes
# The web of the other server is another machine.
BackupTaskSession     | n11/web     | 03-30 00:30 | Warning | srv-a | Nightly | web   | tracking was reset | ~tracking was reset | no
BackupTaskSession     | f3/files    | 03-24 12:40 | Warning | srv-a | Files   | files | low space          | ~low space          | yes
# Without a server it is no machine, and nothing can be said of it since.
BackupTaskSession     | f3/ghost    | 03-24 12:35 | Warning | -     | Files   | ghost | not found          | ~not found          | no
BackupTaskSession     | lone backup | 03-26 12:10 | Failed  | srv-a | -       | lone  | agent offline      | ~agent offline      | no
BackupTaskSession     | w2/web      | 03-28 23:20 | Failed  | srv-a | Copy    | web   | target full        | ~target full        | yes
# Good again on the 31st at 11:30, in a run that has not ended.
BackupTaskSession     | w3/db       | 03-30 00:05 | Warning | srv-a | Copy    | db    | slow target        | ~slow target        | yes
BackupTaskSession     | l1/pc-1     | 03-28 09:10 | Warning | srv-a | Laptops | pc-1  | battery low        | ~battery low        | no
# Its backups were good, its replicas not.
ReplicaTaskSession    | r2/db       | 03-30 02:10 | Failed  | srv-a | DR      | db    | no host            | ~no host            | no
ReplicaTaskSession    | r3/db       | 03-31 02:30 | Failed  | srv-a | DR      | db    | no host            | ~no host            | no
CdpReplicaTaskSession | p4/db 2     | 03-29 06:59:30 | Failed  | srv-a | Gold | db    | link down          | ~link down          | yes
CdpReplicaTaskSession | p5/db 3     | 03-30 14:59:20 | Warning | srv-a | Gold | db    | bandwidth          | ~bandwidth          | yes
";

const RUNNING: &str = r"
# kind                | uid     | start       | secs   | job | object         | server | median | times
BackupJobSession      | n12     | 03-31 11:00 | 3600   | Nightly       | -   | srv-a | 1200   | 3
# The 13 backups of web since 1 March took 300 300 300 600 600 900 1200 1200 2400 2400 2400 2400 3000: the seventh.
BackupTaskSession     | n12/web | 03-31 11:00 | 3600   | Nightly       | web | srv-a | 1200   | 3
# Stopped, without an end.
BackupJobSession      | f6      | 03-31 01:00 | 39600  | Files         | -   | srv-a | 600    | 66
# 194400 / 172680 = 1.1257
BackupJobSession      | c2      | 03-29 06:00 | 194400 | Copy          | -   | srv-a | 172680 | 1.12
# w1 to w3 took 2400, 1200 and 900.
BackupJobSession      | w4      | 03-31 10:00 | 7200   | Copy\Nightly  | -   | srv-a | 1200   | 6
BackupTaskSession     | w4/web  | 03-31 10:00 | 7200   | Copy          | web | srv-a | 1200   | 6
# p3 took 28800, p4 and p5 86360; p2 began before the last 30 days. 75600 / 86360 = 0.875
CdpReplicaSession     | p6      | 03-30 15:00 | 75600  | Gold          | -   | srv-a | 86360  | 0.87
# Two shifts of 28760 and six of 28770. 18000 / 28770 = 0.625
CdpReplicaTaskSession | p6/db 3 | 03-31 07:00 | 18000  | Gold          | db  | srv-a | 28770  | 0.62
# Restores have no usual length.
RestoreSession        | x5      | 03-31 11:30 | 1800   | -             | web | srv-a | -      | -
";
