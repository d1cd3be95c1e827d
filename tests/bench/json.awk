# tests/bench/run's lines as JSON: one object for each scenario, condition, side and call.
BEGIN {
	n = split("scenario condition number side call median_us p99_us cpu_us peak_rss_kib failed per_second " \
	          "programs system_calls netlink_messages dumps", key)
	gsub(/["\\]/, "", what)
	printf "{\n\t\"what\": \"%s\",\n\t\"results\": [", what
}
{
	printf "%s\n\t\t{", (NR > 1 ? "," : "")
	for (i = 1; i <= n; i++)
		printf "%s\"%s\": %s", (i > 1 ? ", " : ""), key[i], (i ~ /^[1245]$/ ? "\"" $i "\"" : $i)
	printf "}"
}
END { print "\n\t]\n}" }
