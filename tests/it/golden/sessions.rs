//! Every session of the week, whatever its type.

use vemsync::report::views::{MACHINE_SESSIONS, SESSIONS};

use super::Expected;

pub const EXPECTED: &[Expected] = &[(&SESSIONS, ROWS)];

/// The columns of `machine_sessions`, as they stand in those of `sessions`.
const OF_MACHINES: [usize; 11] = [0, 1, 7, 4, 6, 8, 9, 10, 12, 13, 14];

/// The same again, of machines only: a task without a server is no machine's.
pub fn of_machines() -> Expected {
    let cells = |line: &str| line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let rows = ROWS.lines().map(cells).filter(|row| row[0].ends_with("TaskSession") && row[3] != "-");
    let lines: Vec<String> = rows.map(|row| OF_MACHINES.map(|at| row[at].clone()).join("|")).collect();
    (&MACHINE_SESSIONS, lines.join("\n").leak())
}

// A session of the renamed job has the name of its time, a task that of today. What says that it has ended, and not
// when, runs (f6); so does what says Success (p6/db 3). No hour is lost or won by clocks that are set (f4, x2).
const ROWS: &str = r"
# kind                | uid              | em | server uid | server | parent uid | parent       | object | start              | end                | secs   | runs | state      | result  | message
BackupJobSession      | n1               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 02-20 22:00        | 02-20 22:30        | 1800   | no   | Stopped    | Success | -
BackupJobSession      | n2               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-01 12:30        | 03-01 12:50        | 1200   | no   | Stopped    | Success | -
BackupJobSession      | n3               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-24 22:00        | 03-24 23:00        | 3600   | no   | Stopped    | Success | -
BackupJobSession      | n4               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-27 22:00        | 03-27 22:10        | 600    | no   | Stopped    | Failed  | 1 of 2 failed
BackupJobSession      | n5               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-27 22:20        | 03-27 22:40        | 1200   | no   | Stopped    | Success | -
BackupJobSession      | n6               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-28 22:00        | 03-28 22:50        | 3000   | no   | Stopped    | Success | -
BackupJobSession      | n7               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-28 23:30        | 03-29 00:10        | 2400   | no   | Stopped    | Failed  | 1 of 1 failed
BackupJobSession      | n8               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-29 22:00        | 03-29 22:05        | 300    | no   | Stopped    | Failed  | 1 of 2 failed
BackupJobSession      | n9               | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-29 22:15        | 03-29 22:20        | 300    | no   | Stopped    | Failed  | 1 of 1 failed
BackupJobSession      | n10              | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-29 22:30        | 03-29 22:35        | 300    | no   | Stopped    | Failed  | 1 of 1 failed
BackupJobSession      | n11              | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-29 23:50        | 03-30 00:30        | 2400   | no   | Stopped    | Warning | tracking was reset
BackupJobSession      | n12              | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | -      | 03-31 11:00        | -                  | -      | yes  | Working    | None    | -
BackupJobSession      | f1               | 1  | srv-a      | srv-a  | files@a    | File servers | -      | 02-20 01:00        | 02-20 01:15        | 900    | no   | Stopped    | Success | -
BackupJobSession      | f2               | 1  | srv-a      | srv-a  | files@a    | File servers | -      | 03-22 01:00        | 03-22 01:20        | 1200   | no   | Stopped    | Success | -
BackupJobSession      | f3               | 1  | srv-a      | srv-a  | files@a    | File servers | -      | 03-24 12:30        | 03-24 12:40        | 600    | no   | Stopped    | Warning | 2 warned
BackupJobSession      | f4               | 1  | srv-a      | srv-a  | files@a    | Files        | -      | 03-29 00:30        | 03-29 01:30        | 3600   | no   | Stopped    | Success | -
BackupJobSession      | f5               | 1  | srv-a      | srv-a  | files@a    | Files        | -      | 03-30 01:00        | 03-30 01:05        | 300    | no   | Stopped    | None    | -
BackupJobSession      | f6               | 1  | srv-a      | srv-a  | files@a    | Files        | -      | 03-31 01:00        | -                  | -      | yes  | Stopped    | Success | -
BackupJobSession      | c0               | 1  | srv-a      | srv-a  | old copy@a | Copy         | -      | 03-05 06:00        | 03-05 06:30        | 1800   | no   | Stopped    | Success | -
BackupJobSession      | c1               | 1  | srv-a      | srv-a  | copy@a     | Copy         | -      | 03-27 06:00        | 03-29 05:58        | 172680 | no   | Stopped    | Success | -
BackupJobSession      | c2               | 1  | srv-a      | srv-a  | copy@a     | Copy         | -      | 03-29 06:00        | -                  | -      | yes  | Working    | None    | -
BackupJobSession      | w1               | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | -      | 03-27 23:00        | 03-27 23:40        | 2400   | no   | Stopped    | Success | -
BackupJobSession      | w2               | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | -      | 03-28 23:10        | 03-28 23:30        | 1200   | no   | Stopped    | Failed  | 1 of 2 failed
BackupJobSession      | w3               | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | -      | 03-29 23:50        | 03-30 00:05        | 900    | no   | Stopped    | Warning | slow target
BackupJobSession      | w4               | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | -      | 03-31 10:00        | -                  | -      | yes  | Working    | None    | -
BackupJobSession      | l1               | 1  | srv-a      | srv-a  | laptops@a  | Laptops      | -      | 03-28 09:00        | 03-28 09:10        | 600    | no   | Stopped    | Warning | 1 warned
BackupJobSession      | k1               | 1  | srv-a      | srv-a  | child@a    | Laptops\pc-7 | -      | 03-28 09:05        | 03-28 09:25        | 1200   | no   | Stopped    | Success | -
BackupJobSession      | nb               | 2  | srv-b      | srv-b  | nightly@b  | Nightly      | -      | 03-30 22:00        | 03-30 22:20        | 1200   | no   | Stopped    | Success | -
BackupJobSession      | wk1              | 2  | srv-b      | srv-b  | weekly@b   | Weekly       | -      | 03-17 03:00        | 03-17 05:00        | 7200   | no   | Stopped    | Success | -
BackupJobSession      | wk2              | 2  | srv-b      | srv-b  | weekly@b   | Weekly       | -      | 03-25 03:00        | 03-25 05:00        | 7200   | no   | Stopped    | Success | -
BackupJobSession      | cb               | 2  | srv-b      | srv-b  | copy@b     | Copy         | -      | 03-27 06:00        | 03-27 06:01        | 60     | no   | Stopped    | Success | -
BackupTaskSession     | n1/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 02-20 22:00        | 02-20 22:20        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | n1/db            | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 02-20 22:05        | 02-20 22:30        | 1500   | no   | Completed  | Success | -
BackupTaskSession     | n2/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-01 12:30        | 03-01 12:50        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | n3/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-24 22:00        | 03-24 22:15        | 900    | no   | Completed  | Success | -
BackupTaskSession     | n3/db            | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 03-24 22:10        | 03-24 23:00        | 3000   | no   | Completed  | Success | -
BackupTaskSession     | n4/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-27 22:00        | 03-27 22:10        | 600    | no   | Completed  | Failed  | cannot reach host
BackupTaskSession     | n4/db            | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 03-27 22:00        | 03-27 22:09        | 540    | no   | Completed  | Success | -
BackupTaskSession     | n5/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-27 22:20        | 03-27 22:40        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | n6/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-28 22:00        | 03-28 22:40        | 2400   | no   | Completed  | Success | -
BackupTaskSession     | n6/db            | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 03-28 22:10        | 03-28 22:50        | 2400   | no   | Completed  | Success | -
BackupTaskSession     | n7/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-28 23:30        | 03-29 00:10        | 2400   | no   | Completed  | Failed  | disk full
BackupTaskSession     | n8/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-29 22:00        | 03-29 22:05        | 300    | no   | Completed  | Failed  | snapshot timeout
BackupTaskSession     | n8/db            | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 03-29 22:00        | 03-29 22:04        | 240    | no   | Completed  | Success | -
BackupTaskSession     | n9/web           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-29 22:15        | 03-29 22:20        | 300    | no   | Completed  | Failed  | snapshot timeout
BackupTaskSession     | n10/web          | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-29 22:30        | 03-29 22:35        | 300    | no   | Completed  | Failed  | snapshot timeout
BackupTaskSession     | n11/web          | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-29 23:50        | 03-30 00:30        | 2400   | no   | Completed  | Warning | tracking was reset
BackupTaskSession     | n12/web          | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | web    | 03-31 11:00        | -                  | -      | yes  | InProgress | Warning | -
BackupTaskSession     | n12/db           | 1  | srv-a      | srv-a  | nightly@a  | Nightly      | db     | 03-31 11:00        | 03-31 11:30        | 1800   | no   | Completed  | Success | -
BackupTaskSession     | f1/files         | 1  | srv-a      | srv-a  | files@a    | Files        | files  | 02-20 01:00        | 02-20 01:15        | 900    | no   | Completed  | Success | -
BackupTaskSession     | f2/files         | 1  | srv-a      | srv-a  | files@a    | Files        | files  | 03-22 01:00        | 03-22 01:20        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | f3/files         | 1  | srv-a      | srv-a  | files@a    | Files        | files  | 03-24 12:30        | 03-24 12:40        | 600    | no   | Completed  | Warning | low space
BackupTaskSession     | f3/ghost         | 1  | -          | -      | files@a    | Files        | ghost  | 03-24 12:30        | 03-24 12:35        | 300    | no   | Completed  | Warning | not found
BackupTaskSession     | f4/files         | 1  | srv-a      | srv-a  | files@a    | Files        | files  | 03-29 00:30        | 03-29 01:15        | 2700   | no   | Completed  | Success | -
BackupTaskSession     | f4/web           | 1  | srv-a      | srv-a  | files@a    | Files        | web    | 03-29 00:40        | 03-29 01:30        | 3000   | no   | Completed  | Success | -
BackupTaskSession     | f5/files         | 1  | srv-a      | srv-a  | files@a    | Files        | files  | 03-30 01:00        | 03-30 01:05        | 300    | no   | Completed  | None    | -
BackupTaskSession     | lone backup      | 1  | srv-a      | srv-a  | -          | -            | lone   | 03-26 12:00        | 03-26 12:10        | 600    | no   | Completed  | Failed  | agent offline
BackupTaskSession     | next lone backup | 1  | srv-a      | srv-a  | -          | -            | lone   | 03-27 10:00        | 03-27 10:10        | 600    | no   | Completed  | None    | -
BackupTaskSession     | w1/web           | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | web    | 03-27 23:00        | 03-27 23:40        | 2400   | no   | Completed  | Success | -
BackupTaskSession     | w2/web           | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | web    | 03-28 23:10        | 03-28 23:20        | 600    | no   | Completed  | Failed  | target full
BackupTaskSession     | w2/db            | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | db     | 03-28 23:20        | 03-28 23:30        | 600    | no   | Completed  | Success | -
BackupTaskSession     | w3/db            | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | db     | 03-29 23:50        | 03-30 00:05        | 900    | no   | Completed  | Warning | slow target
BackupTaskSession     | w4/web           | 1  | srv-a      | srv-a  | worker@a   | Copy\Nightly | web    | 03-31 10:00        | -                  | -      | yes  | InProgress | None    | -
BackupTaskSession     | l1/pc-1          | 1  | srv-a      | srv-a  | laptops@a  | Laptops      | pc-1   | 03-28 09:00        | 03-28 09:10        | 600    | no   | Completed  | Warning | battery low
BackupTaskSession     | k1/pc-7          | 1  | srv-a      | srv-a  | child@a    | Laptops\pc-7 | pc-7   | 03-28 09:05        | 03-28 09:25        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | nb/web           | 2  | srv-b      | srv-b  | nightly@b  | Nightly      | web    | 03-30 22:00        | 03-30 22:20        | 1200   | no   | Completed  | Success | -
BackupTaskSession     | wk1/arch         | 2  | srv-b      | srv-b  | weekly@b   | Weekly       | arch   | 03-17 03:00        | 03-17 05:00        | 7200   | no   | Completed  | Success | -
BackupTaskSession     | wk2/arch         | 2  | srv-b      | srv-b  | weekly@b   | Weekly       | arch   | 03-25 03:00        | 03-25 05:00        | 7200   | no   | Completed  | Success | -
ReplicaJobSession     | r1               | 1  | srv-a      | srv-a  | dr@a       | DR           | -      | 03-29 02:00        | 03-29 02:45        | 2700   | no   | Stopped    | Success | -
ReplicaJobSession     | r2               | 1  | srv-a      | srv-a  | dr@a       | DR           | -      | 03-30 02:00        | 03-30 02:10        | 600    | no   | Stopped    | Failed  | no host
ReplicaJobSession     | r3               | 1  | srv-a      | srv-a  | dr@a       | DR           | -      | 03-31 02:00        | 03-31 02:30        | 1800   | no   | Stopped    | Failed  | no host
ReplicaTaskSession    | r1/db            | 1  | srv-a      | srv-a  | dr@a       | DR           | db     | 03-29 02:00        | 03-29 02:45        | 2700   | no   | Completed  | Success | -
ReplicaTaskSession    | r2/db            | 1  | srv-a      | srv-a  | dr@a       | DR           | db     | 03-30 02:00        | 03-30 02:10        | 600    | no   | Completed  | Failed  | no host
ReplicaTaskSession    | r3/db            | 1  | srv-a      | srv-a  | dr@a       | DR           | db     | 03-31 02:00        | 03-31 02:30        | 1800   | no   | Completed  | Failed  | no host
CdpReplicaSession     | p1               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 02-10 15:00        | 02-10 23:00        | 28800  | no   | Stopped    | Success | -
CdpReplicaSession     | p2               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 03-01 08:00        | 03-01 16:00        | 28800  | no   | Stopped    | Success | -
CdpReplicaSession     | p3               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 03-21 16:00        | 03-22 00:00        | 28800  | no   | Stopped    | Success | -
CdpReplicaSession     | p4               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 03-28 15:00        | 03-29 14:59:20     | 86360  | no   | Stopped    | Success | -
CdpReplicaSession     | p5               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 03-29 15:00        | 03-30 14:59:20     | 86360  | no   | Stopped    | Warning | bandwidth
CdpReplicaSession     | p6               | 1  | srv-a      | srv-a  | gold@a     | Gold         | -      | 03-30 15:00        | -                  | -      | yes  | Working    | None    | -
CdpReplicaTaskSession | p1/gone          | 1  | srv-a      | srv-a  | gold@a     | Gold         | gone   | 02-10 15:00        | 02-10 22:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p2/mail          | 1  | srv-a      | srv-a  | gold@a     | Gold         | mail   | 03-01 08:00        | 03-01 15:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p3/mail          | 1  | srv-a      | srv-a  | gold@a     | Gold         | mail   | 03-21 16:00        | 03-21 23:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p4/db            | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-28 15:00        | 03-28 22:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p4/db 2          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-28 23:00        | 03-29 06:59:30     | 28770  | no   | Completed  | Failed  | link down
CdpReplicaTaskSession | p4/db 3          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-29 07:00        | 03-29 14:59:20     | 28760  | no   | Completed  | Success | -
CdpReplicaTaskSession | p5/db            | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-29 15:00        | 03-29 22:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p5/db 2          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-29 23:00        | 03-30 06:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p5/db 3          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-30 07:00        | 03-30 14:59:20     | 28760  | no   | Completed  | Warning | bandwidth
CdpReplicaTaskSession | p6/db            | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-30 15:00        | 03-30 22:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p6/db 2          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-30 23:00        | 03-31 06:59:30     | 28770  | no   | Completed  | Success | -
CdpReplicaTaskSession | p6/db 3          | 1  | srv-a      | srv-a  | gold@a     | Gold         | db     | 03-31 07:00        | -                  | -      | yes  | InProgress | Success | -
RestoreSession        | x1               | 1  | srv-a      | srv-a  | -          | -            | web    | 03-28 08:00:00.750 | 03-28 08:30:00.250 | 1799   | no   | Stopped    | Success | -
RestoreSession        | x2               | 1  | srv-a      | srv-a  | -          | -            | files  | 03-29 00:50        | 03-29 01:20        | 1800   | no   | Stopped    | Success | -
RestoreSession        | x3               | 1  | srv-a      | srv-a  | -          | -            | db     | 03-30 10:00        | 03-30 10:01        | 60     | no   | Stopped    | Failed  | mount failed
RestoreSession        | x4               | 1  | srv-a      | srv-a  | -          | -            | db     | 03-30 09:50        | 03-30 10:40        | 3000   | no   | Stopped    | Success | -
RestoreSession        | x5               | 1  | srv-a      | srv-a  | -          | -            | web    | 03-31 11:30        | -                  | -      | yes  | Working    | None    | -
CloudFailoverSession  | y1               | 1  | srv-a      | srv-a  | -          | -            | Site A | 03-30 04:00        | 03-30 04:20        | 1200   | no   | Stopped    | Success | -
CloudFailoverSession  | y2               | 1  | srv-a      | srv-a  | -          | -            | Site B | 03-30 05:00        | 03-30 05:01        | 60     | no   | Stopped    | Failed  | no network
";
