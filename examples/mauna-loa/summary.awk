#!/usr/bin/awk -f
# SPDX-License-Identifier: Apache-2.0
# summary.awk - put the periods together: a table, the trend of the trend, a plot.
#
#   summary.awk co2-weekly.csv parts/*/growth-*.tsv
#
# Reads the weekly data and what growth.awk wrote for each period.  Writes results/growth.tsv and
# results/mauna-loa.svg, prints the table.  Periods are taken in order of time, whatever order the parts
# come in.

/^#/ || /^date/ { next }
FILENAME ~ /\.csv$/ {
    split($0, f, ",")
    weeks++; T[weeks] = year_of(f[1]); C[weeks] = f[2]
    next
}
{
    split($0, f, "\t")
    # Insert in order.
    for (i = ++periods; i > 1 && FIRST[i - 1] > f[1] + 0; i--) copy(i, i - 1)
    NAME[i] = f[1]; FIRST[i] = f[1] + 0; WEEKS[i] = f[2]; LEVEL[i] = f[3]; GROWTH[i] = f[4]
    LOW[i] = f[5]; HIGH[i] = f[6]; SWING[i] = f[7]; SLOW[i] = f[8]; SHIGH[i] = f[9]
}

END {
    if (periods < 3 || weeks < 100) {
        print "summary.awk: " periods + 0 " periods and " weeks + 0 " weeks are too few" > "/dev/stderr"
        exit 2
    }
    trend()
    table("results/growth.tsv")
    plot("results/mauna-loa.svg")
}

function copy(to, from) {
    NAME[to] = NAME[from]; FIRST[to] = FIRST[from]; WEEKS[to] = WEEKS[from]; LEVEL[to] = LEVEL[from]
    GROWTH[to] = GROWTH[from]; LOW[to] = LOW[from]; HIGH[to] = HIGH[from]
    SWING[to] = SWING[from]; SLOW[to] = SLOW[from]; SHIGH[to] = SHIGH[from]
}

# The day's place in its year; days within a month are near enough for a plot.
function year_of(date) {
    return substr(date, 1, 4) + (substr(date, 5, 2) - 1 + (substr(date, 7, 2) - 0.5) / 30.5) / 12
}

# A straight line through the growth rates.  Its error comes from their scatter about it, which is larger
# than their own errors: El Nino years and the eruption of Pinatubo (1991) move the rate.
function trend(    i, x, sx, sxx, sy, sxy, rest) {
    for (i = 1; i <= periods; i++) {
        x = FIRST[i] + 2.5
        sx += x; sy += GROWTH[i]
    }
    MIDDLE = sx / periods; MEAN = sy / periods
    for (i = 1; i <= periods; i++) {
        x = FIRST[i] + 2.5 - MIDDLE
        sxx += x * x; sxy += x * GROWTH[i]
    }
    SLOPE = sxy / sxx
    for (i = 1; i <= periods; i++) {
        x = FIRST[i] + 2.5 - MIDDLE
        rest += (GROWTH[i] - MEAN - SLOPE * x) ^ 2
    }
    ERROR = sqrt(rest / (periods - 2) / sxx)
}

function table(file,    i) {
    print "period\tweeks\tlevel_ppm\tgrowth_ppm_per_year\tlow\thigh\tswing_ppm\tlow\thigh" > file
    print "CO2 at Mauna Loa, per period (95 % intervals from a block bootstrap)\n"
    print "period       level    growth (ppm/year)        seasonal swing (ppm)"
    for (i = 1; i <= periods; i++) {
        printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", NAME[i], WEEKS[i], LEVEL[i], GROWTH[i], LOW[i],
            HIGH[i], SWING[i], SLOW[i], SHIGH[i] > file
        printf "%-9s   %.2f    %.2f  (%.2f to %.2f)     %.2f  (%.2f to %.2f)\n", NAME[i], LEVEL[i],
            GROWTH[i], LOW[i], HIGH[i], SWING[i], SLOW[i], SHIGH[i]
    }
    printf "\nThe growth rate itself rose by %.3f +- %.3f ppm/year in each year.\n", SLOPE, ERROR
}

# ---- the plot ----------------------------------------------------------------------------------------

function px(year) { return 70 + (year - 1958) * 700 / 44 }
function py(ppm) { return 330 - (ppm - 310) * 270 / 65 }
function pg(growth) { return 560 - growth * 150 / 2.5 }

function text(x, y, anchor, words, more) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor, more, words > SVG
}
function line(x1, y1, x2, y2, class) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class > SVG
}

function plot(file,    i, v) {
    SVG = file
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 620\" font-family=\"sans-serif\" font-size=\"13\">" > SVG
    print "<title>CO2 at Mauna Loa, 1958 to 2001</title>" > SVG
    print "<style>.grid{stroke:#ddd}.axis{stroke:#444}.data{fill:none;stroke:#6a9fc4;stroke-width:1}" > SVG
    print ".fit{stroke:#b5341c;stroke-width:2.5}.bar{stroke:#b5341c;stroke-width:1.5}.dot{fill:#b5341c}" > SVG
    print ".trend{stroke:#444;stroke-dasharray:5 4}</style>" > SVG
    print "<rect width=\"800\" height=\"620\" fill=\"#fff\"/>" > SVG
    text(70, 28, "start", "Atmospheric CO2 at Mauna Loa", " font-size=\"18\"")
    text(70, 48, "start", "weekly means (ppm), and the trend of each period of five years", " fill=\"#444\"")
    for (v = 310; v <= 370; v += 10) { line(70, py(v), 770, py(v), "grid"); text(62, py(v) + 4, "end", v, "") }
    curve()
    for (i = 1; i <= periods; i++)
        line(px(FIRST[i]), py(LEVEL[i] - 2.5 * GROWTH[i]), px(FIRST[i] + 5), py(LEVEL[i] + 2.5 * GROWTH[i]), "fit")
    text(70, 385, "start", "growth of each period (ppm/year), with its 95 % interval", " fill=\"#444\"")
    for (v = 0; v <= 2.5; v += 0.5) {
        line(70, pg(v), 770, pg(v), "grid"); text(62, pg(v) + 4, "end", sprintf("%.1f", v), "")
    }
    line(px(1960), pg(MEAN + SLOPE * (1960 - MIDDLE)), px(2000), pg(MEAN + SLOPE * (2000 - MIDDLE)), "trend")
    for (i = 1; i <= periods; i++) growth_mark(px(FIRST[i] + 2.5), i)
    line(70, pg(0), 770, pg(0), "axis")
    for (v = 1960; v <= 2000; v += 10) { line(px(v), pg(0), px(v), pg(0) + 5, "axis"); text(px(v), pg(0) + 20, "middle", v, "") }
    text(70, 606, "start", "Data: C.D. Keeling and T.P. Whorf, Scripps Institution of Oceanography (CDIAC, 2004)", " font-size=\"11\" fill=\"#666\"")
    print "</svg>" > SVG
}

# One stroke for each run of weeks without a gap of more than a month.
function curve(    i, path) {
    for (i = 1; i <= weeks; i++)
        path = path sprintf("%s%.1f %.1f", i == 1 || T[i] - T[i - 1] > 0.09 ? "M" : "L", px(T[i]), py(C[i]))
    print "<path class=\"data\" d=\"" path "\"/>" > SVG
}

function growth_mark(x, i) {
    line(x, pg(LOW[i]), x, pg(HIGH[i]), "bar")
    line(x - 5, pg(LOW[i]), x + 5, pg(LOW[i]), "bar")
    line(x - 5, pg(HIGH[i]), x + 5, pg(HIGH[i]), "bar")
    printf "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", x, pg(GROWTH[i]) > SVG
}
