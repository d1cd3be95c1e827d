# tests/bench/run's lines as one Markdown table: a row for each chain, condition and call.
function ms(us) { return us == "" ? "" : sprintf("%.2f", us / 1000) }
function ratio(a, b) { return a != "" && b > 0 ? sprintf("%.2f", a / b) : "" }
function pair(a, b) { return a "" == "" ? "" : a " / " b }
{
	k = $1 SUBSEP $2 SUBSEP $3 SUBSEP $5
	if (!(k in seen)) { seen[k] = 1; order[++n] = k }
	us[k, $4] = $6; p99[k, $4] = $7; cpu[k, $4] = $8; rss[k, $4] = $9; failed[k, $4] = $10
	rate[k, $4] = $11; programs[k, $4] = $12; calls[k, $4] = $13; messages[k, $4] = $14
	if ($3 == 0) base[$1, $5, $4] = $6
}
END {
	print "Times in ms, median and 99th percentile; CPU: user and system; RSS in MiB; ours / theirs where there are two."
	print ""
	print "| chain | there before | call | ours | p99 | theirs | p99 | theirs / ours | ours / floor | ours / ours alone |" \
	      " per second | CPU | peak RSS | system calls | messages | programs | failed |"
	print "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
	for (i = 1; i <= n; i++) {
		k = order[i]; split(k, f, SUBSEP); o = k SUBSEP "ours"; t = k SUBSEP "theirs"
		before = f[2] == "at-once" ? f[3] " at once" : f[3] == 0 ? "-" : f[3] " " f[2]
		printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f[1], before, f[4],
		       ms(us[o]), ms(p99[o]), ms(us[t]), ms(p99[t]), ratio(us[t], us[o]), ratio(us[o], us[k, "floor"]),
		       f[2] == "at-once" ? "" : ratio(us[o], base[f[1], f[4], "ours"]),
		       f[2] == "at-once" ? pair(int(rate[o]), int(rate[t])) : "", pair(ms(cpu[o]), ms(cpu[t])),
		       pair(ratio(rss[o], 1024), ratio(rss[t], 1024)), pair(calls[o], calls[t]),
		       pair(messages[o], messages[t]), pair(programs[o], programs[t]), pair(failed[o], failed[t])
	}
}
