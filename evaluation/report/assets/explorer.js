// Any proxy against any target on a canvas, and the cell of any network.
"use strict";
(() => {
  const data = JSON.parse($("#data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const numbers = (Kind, text) => new Kind(bytes(text).buffer);
  // Networks go by number, or by name.
  const ids = data.ids ? [...numbers(Uint16Array, data.ids)] : data.labels;
  const operations = bytes(data.operations ?? ""), live = bytes(data.live ?? "");
  const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const scored = numbers(Uint32Array, data.scored);
  const unpacked = (raw) => {
    if (raw.length === 8 * scored.length) return new Float64Array(raw.buffer);
    if (raw.length === 4 * scored.length) return new Float32Array(raw.buffer);
    const whole = new Uint8Array(4 * scored.length); // the lowest of four bytes is not sent
    for (let i = 0; i < raw.length; i += 1) whole[4 * Math.floor(i / 3) + 1 + (i % 3)] = raw[i];
    return new Float32Array(whole.buffer);
  };
  const scores = (name) => {
    const all = new Float64Array(ids.length).fill(NaN);
    unpacked(bytes(data.scores[name])).forEach((score, place) => { all[scored[place]] = score; });
    return all;
  };
  const accuracies = (name) => numbers(Uint16Array, data.targets[name]);
  const accuracy = (raw) => (raw === 65535 ? NaN : raw / data.scale);
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  $(".explorer").hidden = false;

  let chosen = Math.max(0, ids.indexOf(data.first));
  const input = $("#network");

  // The nodes on a line; an arc for each edge that passes one.
  const X = [45, 185, 325, 465], Y = 150, ARCS = { "0,2": -95, "1,3": 95, "0,3": -185 };
  const drawEdge = (edge, index) => {
    const [source, target] = data.edges[edge];
    const operation = data.operation_list[operations[6 * index + edge]];
    const alive = (live[index] >> edge) & 1;
    const arc = ARCS[[source, target]] ?? 0;
    const [x0, x1] = [X[source], X[target]], middle = (x0 + x1) / 2;
    const slope = arc ? Math.atan2(arc * 2, (x1 - x0) / 2) : 0;
    const reach = 21, dx = reach * Math.cos(slope), dy = reach * Math.sin(slope);
    const stroke = alive ? operation.colour : "var(--muted)";
    const below = arc > 0, at = Y + arc + dy / 2 + (below ? 20 : -8);
    const dead = !alive && operation.id !== "none" ? " (dead)" : "";
    return `<path d="M${x0 + dx},${Y + dy} Q${middle},${Y + 2 * arc} ${x1 - dx},${Y + dy}" fill="none"
      stroke="${stroke}" stroke-width="${alive ? 4 : 2}" ${alive ? "" : 'stroke-dasharray="2 5"'}
      marker-end="url(#arrow)"/><text x="${middle}" y="${at}" text-anchor="middle" font-size="14"
      fill="${alive ? "currentColor" : "var(--muted)"}">${operation.name}${dead}</text>`;
  };
  const drawCell = (index) => {
    const nodes = X.map((x, node) => `<circle cx="${x}" cy="${Y}" r="16" fill="var(--page)"
      stroke="currentColor" stroke-width="1.5"/><text x="${x}" y="${Y + 5}" text-anchor="middle"
      font-size="15" fill="currentColor">${node}</text>`);
    const ends = [[0, "input"], [3, "output"]].map(([node, role]) => `<text
      x="${X[node] + (node ? 24 : -24)}" y="${Y + 5}" text-anchor="${node ? "start" : "end"}"
      font-size="13" fill="var(--muted)">${role}</text>`);
    $("#cell").innerHTML = `<svg viewBox="-25 -65 560 345" role="img" aria-label="cell of network
      ${ids[index]}" font-family="var(--font)"><defs><marker id="arrow" viewBox="0 0 8 8" refX="6"
      refY="4" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto">
      <path d="M0,0 L8,4 L0,8 z" fill="context-stroke"/></marker></defs>
      ${data.edges.map((_, edge) => drawEdge(edge, index)).join("")}${nodes.join("")}${ends.join("")}</svg>`;
  };
  // Cells of any space, one below the other; a node stands where it was told to.
  const drawGraphs = (index) => {
    const WIDE = 88, HIGH = 62, GAP = 34;
    let top = 0, right = 0, parts = "";
    for (const { title, nodes, edges } of data.graphs[index]) {
      const [xs, ys] = [0, 1].map((axis) => nodes.map((node) => node[axis]));
      const x = nodes.map((node) => (node[0] - Math.min(...xs)) * WIDE);
      const y = nodes.map((node) => top + GAP + 40 + (Math.max(...ys) - node[1]) * HIGH);
      const many = {};
      parts += `<text x="-20" y="${top + 14}" font-size="13" fill="var(--muted)">${escaped(title)}</text>`;
      for (const [source, target, operation, alive] of edges) {
        const { name, colour } = data.operation_list[operation];
        const again = (many[[source, target]] = (many[[source, target]] ?? -1) + 1);
        const long = nodes[target][0] - nodes[source][0] > 1 ? 0.18 : 0, bend = long + 0.2 * again;
        const [dx, dy] = [x[target] - x[source], y[target] - y[source]];
        const [cx, cy] = [x[source] + dx / 2 + bend * dy, y[source] + dy / 2 - bend * dx];
        const length = Math.hypot(x[target] - cx, y[target] - cy) || 1, stop = 1 - 22 / length;
        const [ex, ey] = [cx + (x[target] - cx) * stop, cy + (y[target] - cy) * stop];
        parts += `<path d="M${x[source]},${y[source]} Q${cx},${cy} ${ex},${ey}" fill="none"
          stroke="${alive ? colour : "var(--muted)"}" stroke-width="${alive ? 2.5 : 1.5}"
          ${alive ? "" : 'stroke-dasharray="2 5"'} marker-end="url(#arrow)"/>
          <text x="${(x[source] + x[target]) / 4 + cx / 2}" y="${(y[source] + y[target]) / 4 + cy / 2 - 3}"
          text-anchor="middle" font-size="9" fill="${alive ? "currentColor" : "var(--muted)"}">${escaped(name)}</text>`;
      }
      nodes.forEach(([, , name], node) => {
        parts += `<circle cx="${x[node]}" cy="${y[node]}" r="15" fill="var(--page)" stroke="currentColor"
          stroke-width="1.2"/><text x="${x[node]}" y="${y[node] + 3}" text-anchor="middle" font-size="9"
          fill="currentColor">${escaped(name)}</text>`;
      });
      [top, right] = [Math.max(...y) + 40, Math.max(right, ...x)];
    }
    $("#cell").innerHTML = `<svg viewBox="-25 0 ${right + 50} ${top}" role="img" aria-label="cells of
      ${escaped(ids[index])}" font-family="var(--font)"><defs><marker id="arrow" viewBox="0 0 8 8" refX="6"
      refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
      <path d="M0,0 L8,4 L0,8 z" fill="context-stroke"/></marker></defs>${parts}</svg>`;
  };
  const draw = data.drawn ? () => {} : data.ids ? drawCell : drawGraphs;
  const text = (index) => {
    if (!data.ids) return "";
    const name = (edge) => data.operation_list[operations[6 * index + edge]].id;
    return [[0], [1, 2], [3, 4, 5]].map((edges) =>
      `|${edges.map((edge, source) => `${name(edge)}~${source}`).join("|")}|`).join("+");
  };
  const shown = (value) => (isNaN(value) ? "unknown" : value.toFixed(3));
  const show = (index) => {
    chosen = index;
    input.value = ids[index];
    $("#string").textContent = text(index);
    draw(index);
    $("#accuracies").textContent = data.shown.map((name) =>
      `${data.names[name]} ${shown(accuracy(accuracies(name)[index]))}`).join(", ");
    drawChart();
  };
  input.addEventListener("change", () => {
    const word = input.value.trim();
    const index = data.labels ? ids.indexOf(word) : /^\d+$/.test(word) ? ids.indexOf(Number(word)) : -1;
    if (index >= 0) return show(index);
    // Nothing of the network before it may stay: it would be read as this one's.
    chosen = -1;
    $("#cell").replaceChildren();
    $("#accuracies").textContent = "";
    $("#string").textContent = `the truth has no network ${input.value}`;
    drawChart();
  });

  const canvas = $("#chart"), proxy = $("#proxy"), target = $("#target");
  const EDGE = { left: 46, right: 12, top: 10, bottom: 34 };
  let points = [];
  const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const short = (value) => {
    const size = Math.abs(value);
    if (size > 0 && (size < 1e-2 || size >= 1e12)) return value.toExponential(0).replace("e+", "e");
    const [unit, letter] = (size >= 1e4 && UNITS.find(([u]) => size >= u)) || [1, ""];
    return Number((value / unit).toPrecision(3)) + letter;
  };
  const ticks = (low, high, below) => {
    if (below) {
      const powers = [];
      for (let p = Math.log10(below); p <= Math.log10(Math.max(-low, high)); p++) powers.push(10 ** p);
      const every = Math.ceil(powers.length / 6), some = powers.filter((_, k) => k % every === 0);
      return [...some.map((p) => -p), 0, ...some].filter((v) => v >= low && v <= high);
    }
    const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((m) => m * unit >= rough);
    const all = [];
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) all.push(Number(v.toPrecision(12)));
    return all;
  };
  function drawChart() {
    if (!canvas) return;
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const score = scores(proxy.value);
    const values = accuracies(target.value), below = data.linear_below[proxy.value];
    const bend = (v) => (below ? Math.sign(v) * Math.log10(1 + Math.abs(v) / below) : v);
    const known = [...ids.keys()].filter((k) => !isNaN(score[k]) && values[k] !== 65535);
    const span = (list) => list.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const [x0, x1] = span(known.map((k) => score[k])), [y0, y1] = span(known.map((k) => accuracy(values[k])));
    const place = (low, high, from, to) => (v) =>
      high > low ? from + ((v - low) / (high - low)) * (to - from) : (from + to) / 2;
    const X = place(bend(x0), bend(x1), EDGE.left + 6, width - EDGE.right - 6);
    const Y = place(y0, y1, height - EDGE.bottom - 6, EDGE.top + 6);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.strokeStyle = color("--grid");
    pen.fillStyle = color("--ink");
    const line = (...ends) => { pen.beginPath(); pen.moveTo(ends[0], ends[1]); pen.lineTo(ends[2], ends[3]); pen.stroke(); };
    pen.textAlign = "center";
    let free = -Infinity;
    for (const v of ticks(x0, x1, below)) {
      const x = X(bend(v)), half = pen.measureText(short(v)).width / 2;
      line(x, EDGE.top, x, height - EDGE.bottom);
      if (x - half < free) continue;
      free = x + half + 6;
      pen.fillText(short(v), x, height - EDGE.bottom + 15);
    }
    pen.textAlign = "right";
    for (const v of ticks(y0, y1)) {
      line(EDGE.left, Y(v), width - EDGE.right, Y(v));
      pen.fillText(short(v), EDGE.left - 6, Y(v) + 4);
    }
    pen.textAlign = "center";
    pen.fillText(proxy.value, (EDGE.left + width) / 2, height - 3);
    const size = known.length > 1500 ? 1.6 : 3;
    pen.fillStyle = color("--blue");
    pen.globalAlpha = known.length > 1500 ? 0.35 : 0.6;
    points = known.map((k) => [X(bend(score[k])), Y(accuracy(values[k])), k]);
    for (const [x, y] of points) { pen.beginPath(); pen.arc(x, y, size, 0, 7); pen.fill(); }
    pen.globalAlpha = 1;
    const mine = points.find(([, , k]) => k === chosen);
    if (mine) {
      pen.lineWidth = 2;
      pen.strokeStyle = "#d55e00";
      pen.beginPath();
      pen.arc(mine[0], mine[1], 7, 0, 7);
      pen.stroke();
    }
    $("#tau").textContent = data.tau[proxy.value][target.value];
    $("#point").textContent = chosen < 0 ? "" : isNaN(score[chosen])
      ? `network ${ids[chosen]} is not among the ranked ones` : pointText(chosen);
  }
  const pointText = (index) => `network ${ids[index]}: score ${scores(proxy.value)[index].toPrecision(4)}, `
    + `accuracy ${shown(accuracy(accuracies(target.value)[index]))}`;
  const nearest = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 400;
    for (const point of points) {
      const distance = (point[0] - x) ** 2 + (point[1] - y) ** 2;
      if (distance < least) [best, least] = [point[2], distance];
    }
    return best;
  };
  if (canvas) {
    proxy.addEventListener("change", drawChart);
    target.addEventListener("change", drawChart);
    target.value = data.first_target;
    canvas.addEventListener("pointermove", (event) => {
      const index = nearest(event);
      if (index === null) return hideTip();
      showTip(pointText(index), event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", hideTip);
    canvas.addEventListener("click", (event) => {
      const index = nearest(event);
      if (index !== null) show(index);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step || !points.length) return;
      event.preventDefault();
      const order = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , k]) => k);
      const place = order.indexOf(chosen);
      show(order[place < 0 ? 0 : (place + step + order.length) % order.length]);
    });
    new ResizeObserver(drawChart).observe(canvas);
    document.addEventListener("repaint", drawChart);
  }
  show(chosen);
})();
