# tests/bench/run's lines as a picture: the time of ADD against the number of containers, rules and
# leases that are there before, ours and theirs, a panel each.
function x(n) { return left + n / most * width }
function y(us) { return bottom - us / high * height }
function text(px, py, anchor, what) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", px, py, anchor, what
}
# 1, 2 or 5 times a power of ten: at most five of them up to `top`
function step_of(top,   s) {
	for (s = 1; top / s > 5; )
		if (top / (2 * s) <= 5) s *= 2
		else if (top / (5 * s) <= 5) s *= 5
		else s *= 10
	return s
}
function line_of(side, color,   i, points) {
	for (i = 1; i <= count; i++) {
		if (!((chain, number[i], condition, side) in us)) continue
		points = points sprintf(" %.1f,%.1f", x(number[i]), y(us[chain, number[i], condition, side]))
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(number[i]),
		       y(us[chain, number[i], condition, side]), color
	}
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", points, color
}
function panel(where, cond, which, title,   i, j, v, s) {
	condition = cond; chain = which; left = 55 + where * 290; count = 0; most = 1; high = 1
	for (i = 1; i <= values; i++) {
		if (!((chain, value[i], cond, "ours") in us)) continue
		number[++count] = value[i]
		if (value[i] > most) most = value[i]
		for (j in sides)
			if (us[chain, value[i], cond, sides[j]] > high) high = us[chain, value[i], cond, sides[j]]
	}
	high *= 1.05
	text(left + width / 2, 34, "middle", title)
	s = step_of(high / 1000)
	for (v = 0; v * 1000 <= high; v += s) {
		printf "<path d=\"M%.1f %.1fh%d\" stroke=\"#8886\"/>\n", left, y(v * 1000), width
		text(left - 6, y(v * 1000) + 4, "end", v " ms")
	}
	for (i = 1; i <= count; i++) text(x(number[i]), bottom + 18, i == count ? "end" : "middle", number[i])
	line_of("theirs", "#c8622d")
	line_of("ours", "#2a78c8")
}
$5 == "ADD" {
	us[$1, $3, $2, $4] = $6
	# With nothing there before, all conditions are the same.
	if ($2 == "rules" && $3 == 0) us[$1, 0, "leases", $4] = us[$1, 0, "containers", $4] = $6
	if ($2 != "at-once" && !($3 in seen)) { seen[$3] = 1; value[++values] = $3 }
}
END {
	sides[1] = "ours"; sides[2] = "theirs"; bottom = 230; height = 180; width = 225
	for (i = 2; i <= values; i++) # in order
		for (j = i; j > 1 && value[j - 1] + 0 > value[j] + 0; j--) { v = value[j]; value[j] = value[j - 1]; value[j - 1] = v }
	gsub(/[<&>]/, "", what)
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 300\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#888\">"
	printf "<title>Time of ADD: %s</title>\n", what
	panel(0, "containers", "plain", "bridge: containers on it")
	panel(1, "leases", "plain", "bridge: leases in the network")
	panel(2, "rules", "nerdctl-iptables", "nerdctl's chain: foreign iptables rules")
	print "<circle cx=\"60\" cy=\"280\" r=\"4\" fill=\"#2a78c8\"/><circle cx=\"160\" cy=\"280\" r=\"4\" fill=\"#c8622d\"/>"
	text(70, 284, "start", "ccni")
	text(170, 284, "start", "the Go plugins")
	print "</svg>"
}
