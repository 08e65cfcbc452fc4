# Completion of ndp6d(8) for fish.

# Prints the addresses of all hosts that the running daemon knows.
function __ndp6d_addresses
    ndp6d status hosts 2>/dev/null </dev/null | awk '$1 ~ /^[0-9a-f]*:[0-9a-f:.]*$/ { print $1 }'
end

complete -c ndp6d -f
complete -c ndp6d -l help -d 'print a summary'

complete -c ndp6d -n '__fish_use_subcommand' -a init -d 'make a configuration from the links, routes and addresses of this machine'
complete -c ndp6d -n '__fish_use_subcommand' -a check -d 'check a configuration'
complete -c ndp6d -n '__fish_use_subcommand' -a reload -d 'read the configuration again, print what changes, and apply it'
complete -c ndp6d -n '__fish_use_subcommand' -a doctor -d 'find what is wrong with the set-up of this machine, and print what mends it'
complete -c ndp6d -n '__fish_use_subcommand' -a status -d 'show what the running daemon does, and what is wrong'
complete -c ndp6d -n '__fish_use_subcommand' -a explain -d 'explain whether an address is answered for, and why'
complete -c ndp6d -n '__fish_use_subcommand' -a monitor -d 'show packets and events as they happen'
complete -c ndp6d -n '__fish_use_subcommand' -a metrics -d 'print the metrics of the running daemon for Prometheus'
complete -c ndp6d -n '__fish_use_subcommand' -a log-level -d 'show or set the level of the log until the next start'
complete -c ndp6d -n '__fish_use_subcommand' -a report -d 'print one text for a bug report, with addresses replaced'
complete -c ndp6d -n '__fish_use_subcommand' -a cleanup -d 'remove routes, nftables table and settings that a daemon left behind'

complete -c ndp6d -n '__fish_use_subcommand' -l level -x -a 'error warn info debug' -d 'lowest level of the records to log'
complete -c ndp6d -n '__fish_use_subcommand' -l log -x -a 'auto terminal json journal' -d 'output of the log'
complete -c ndp6d -n '__fish_use_subcommand' -l version -d 'print the version'
complete -c ndp6d -n '__fish_use_subcommand' -s c -l config -r -F -d 'configuration file'
complete -c ndp6d -n '__fish_use_subcommand' -l control -r -F -d 'socket of the daemon'
complete -c ndp6d -n '__fish_use_subcommand' -l state -x -a '(__fish_complete_directories)' -d 'directory of the learned hosts'

complete -c ndp6d -n '__fish_seen_subcommand_from doctor report' -s c -l config -r -F -d 'configuration file'
complete -c ndp6d -n '__fish_seen_subcommand_from reload doctor status explain monitor metrics log-level report cleanup' -l control -r -F -d 'socket of the daemon'
complete -c ndp6d -n '__fish_seen_subcommand_from check reload doctor status explain monitor metrics log-level report' -l json -d 'as JSON'

complete -c ndp6d -n '__fish_seen_subcommand_from init' -F
complete -c ndp6d -n '__fish_seen_subcommand_from init' -l write -d 'write the file, if it does not exist'

complete -c ndp6d -n '__fish_seen_subcommand_from check' -F
complete -c ndp6d -n '__fish_seen_subcommand_from check' -l print -d 'print the effective configuration'
complete -c ndp6d -n '__fish_seen_subcommand_from check' -l strict -d 'refuse a file with warnings, too'

complete -c ndp6d -n '__fish_seen_subcommand_from reload' -l dry-run -d 'print what would change, and change nothing'
complete -c ndp6d -n '__fish_seen_subcommand_from reload' -l try -x -a '60s 5m 1h' -d 'undo it after this time, unless it is confirmed'
complete -c ndp6d -n '__fish_seen_subcommand_from reload' -l confirm -d 'keep the configuration that is on trial'

complete -c ndp6d -n '__fish_seen_subcommand_from doctor' -l list -d 'list all checks, and make none'
complete -c ndp6d -n '__fish_seen_subcommand_from doctor' -l only -x -a '(ndp6d doctor --list | string replace -r " .*" "")' -d 'checks to make'
complete -c ndp6d -n '__fish_seen_subcommand_from doctor' -l strict -d 'end with status 1 also if a check could not be made'

complete -c ndp6d -n '__fish_seen_subcommand_from status' -a 'hosts drops limits'
complete -c ndp6d -n '__fish_seen_subcommand_from status' -l all -d 'everything, also unknown targets and counters that are 0'
complete -c ndp6d -n '__fish_seen_subcommand_from status explain' -a '(__ndp6d_addresses)' -d 'host'
complete -c ndp6d -n '__fish_seen_subcommand_from explain' -l probe -d 'solicit the address once, and show the time until the reply'

complete -c ndp6d -n '__fish_seen_subcommand_from monitor' -l target -x -a '(__ndp6d_addresses)' -d 'only this address, or addresses in this prefix'
complete -c ndp6d -n '__fish_seen_subcommand_from monitor' -l link -x -a '(__fish_print_interfaces)' -d 'only this link'
complete -c ndp6d -n '__fish_seen_subcommand_from monitor' -l kind -x -a 'answered probing unanswered advertisement dropped neighbor next-hop link conflict foreign proxy router limit overrun silent bare filtered snooped' -d 'only these kinds'
complete -c ndp6d -n '__fish_seen_subcommand_from monitor' -l count -x -d 'end after this number of events'
complete -c ndp6d -n '__fish_seen_subcommand_from monitor' -l top -d 'a screen with the busiest targets and solicitors'

complete -c ndp6d -n '__fish_seen_subcommand_from metrics' -l write -r -F -d 'replace a file, for the textfile collector of node_exporter'
complete -c ndp6d -n '__fish_seen_subcommand_from log-level' -a 'error warn info debug'
complete -c ndp6d -n '__fish_seen_subcommand_from report' -l plain -d 'keep addresses as they are'
complete -c ndp6d -n '__fish_seen_subcommand_from cleanup' -l state -x -a '(__fish_complete_directories)' -d 'state directory of the daemon'
