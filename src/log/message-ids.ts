/**
 * MESSAGE_IDs of all events of the log. `PROBLEMS` has the events of level warn and error, each with the fields that all its records
 * have. systemd/ndp6d.catalog explains each of these events. An explanation may use these fields only: if a record lacks a field,
 * `journalctl -x` prints the field's name instead of a value. `systemd-id128 new` makes an id for a new event.
 */

interface Problem {
  readonly id: string
  readonly fields: readonly string[]
}

export const PROBLEMS = {
  // Hosts and their addresses
  'conflict': { id: '1d84f6ab937c4e50a2c86b9f50e7d413', fields: ['target', 'iface', 'lladdr', 'reason'] },
  'proxy': { id: 'beaae811d00743be983401cca33673c0', fields: ['target', 'iface', 'lladdr'] },
  'foreign': { id: '22c5b7a797bd4fb6b449a8193eb57f49', fields: ['target', 'iface'] },
  'filtered': { id: '253bef0ea14848299ec2173934cd779d', fields: ['target', 'iface', 'lladdr'] },
  'router': { id: 'ca4fdb62a40c49caab86bbf7338b4162', fields: ['target', 'iface', 'reason'] },
  'route': { id: '709e86047c9e48e990af9991ecf25324', fields: ['target', 'reason'] },
  // Load
  'scan': { id: '5a0b7c07661f417faa6260368add0a5c', fields: ['count', 'size'] },
  'limit': { id: 'a95b20e7c6d84b1f8e3d74f10926cb5a', fields: ['reason', 'size'] },
  'overrun': { id: 'f67baacd8baf8443b9aef4792d217058', fields: ['iface', 'count'] },
  // Links
  'link-missing': { id: '44c5036c818147dd90d9be73c4903354', fields: ['iface'] },
  'link-enslaved': { id: '5bbf300bfa8d4a86b987de88c204e221', fields: ['iface', 'master'] },
  'link-error': { id: '1c728d6aad4444968c875799ea39f485', fields: ['iface', 'reason'] },
  'silent': { id: '3a0aeee91f5342b7aa879ad26934ad28', fields: ['iface', 'target'] },
  'bare': { id: '4ace2bf620d6443e8927e9517427276e', fields: ['iface', 'source'] },
  'snooped': { id: '947b7b54987447c2a9c8423dae4265c9', fields: ['iface', 'minutes'] },
  // This machine
  'finding': { id: '0b7d52e9c41f4c86a93e6f18d5207ba4', fields: ['reason'] },
  'answers-only': { id: '09d83a104eec47e0bb916c1f9417cb6e', fields: [] },
  'forwarding-off': { id: '3fae4acc25f74353b3a5bf0dc556fe58', fields: [] },
  'forwarding-changed': { id: '8e0f7ce2b9fe4f6e9a4b5191336cd947', fields: [] },
  'forwarding-refused': { id: '3bd338b90c48420088edb99d3a2b1f49', fields: ['reason'] },
  'kernel-filter': { id: '292c4ca2702148fe85f4e7e396c9d21d', fields: ['reason'] },
  'kernel-solicitations': { id: '07a343f6f8614267b248e17cf80ffd33', fields: ['reason'] },
  // The service
  'start-failed': { id: '9da2c5e06be249d1be0b518d0496ca5e', fields: ['reason'] },
  'stop-failed': { id: 'eaa67e3a43d84d1e961c0f789e7a4011', fields: ['reason'] },
  'config-refused': { id: 'b992c934305342c2960a6a23dcfd6aa1', fields: ['configFile'] },
  'trial-over': { id: '04491e2c30af425fad05d356fc6e5690', fields: ['configFile'] },
  'state-file': { id: '301d5a07f3c14e119b2df4761d69d13b', fields: ['directory'] },
  'control': { id: '38c90f252f4d4ea79ade342398aa9531', fields: ['reason'] },
  'metrics': { id: '474a0537da2a4ca181b05d4812c33da1', fields: ['endpoint', 'reason'] },
  'notify': { id: '8bf5b6fb431b4652bc87e93b90cdb1a3', fields: ['reason'] },
  'dropped': { id: 'd99f444f474d44adb8b9fcc5610f24c5', fields: ['count', 'reason'] },
} as const satisfies Readonly<Record<string, Problem>>

export type ProblemName = keyof typeof PROBLEMS

/** The fields of a record: those that all records of its event have, and others. */
export type ProblemRecord<P extends ProblemName> = { readonly event: P }
  & Readonly<Record<(typeof PROBLEMS)[P]['fields'][number], string | number>> & Readonly<Record<string, unknown>>

/** MESSAGE_ID of each `event` field, for `journalctl MESSAGE_ID=...` and the journal's catalog. A MESSAGE_ID never changes. */
export const MESSAGE_IDS: Readonly<Record<string, string>> = {
  neighbor: '6f0c3b1d5a8e4f2fb0d7c94e21a3685b',
  'next-hop': '0d5cd1be4cf14a36a2a0e1f15fb8a26c',
  link: 'c2e97a4480f14d3c9b5e06d7f8312a69',
  ready: '3e71d8c50b6f4a92b84fc1e6a7d0592c',
  reload: '84a6e1f92c7d4053be10d95f3b68c7e2',
  finding: '0b7d52e9c41f4c86a93e6f18d5207ba4',
  stop: 'f53c09b7e82a4d61975be8d2046fa1c3',
  ...Object.fromEntries(Object.entries(PROBLEMS).map(([event, { id }]) => [event, id])),
}
