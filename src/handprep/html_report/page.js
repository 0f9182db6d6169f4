"use strict";
(() => {
  const ON_A_PAGE = 60;
  const WORDS = { "done": "done", "no-hand": "no hand", "skipped": "skipped", "failed": "failed" };
  const BY = {
    name: (a, b) => a.index - b.index,
    "lowest-score": (a, b) => scored(b) - scored(a) || a.score - b.score || a.index - b.index,
    "highest-score": (a, b) => scored(b) - scored(a) || b.score - a.score || a.index - b.index,
    "lowest-mask": (a, b) => (a.mask ?? 2) - (b.mask ?? 2) || a.index - b.index,
    slowest: (a, b) => b.milliseconds - a.milliseconds || a.index - b.index,
  };

  const LOOKS = { // what is worth a look, and how it is called
    doubtful: [(row) => scored(row) && row.score < data.doubtful, "score below"],
    searched: [(row) => row.view && row.view !== "as-is", "found only by search"],
  };

  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  $("data").remove(); // its text need not be kept twice
  const statuses = data.statuses.map(([status]) => status);
  const rows = data.rows.map((values, index) => {
    const row = Object.fromEntries(data.columns.map((name, column) => [name, values[column]]));
    const status = statuses[row.status];
    const [photo, prepared] = [data.images.photo[index], data.images.prepared[index]];
    return Object.assign(row, { index, status, photo, prepared, image: status === "done" ? prepared : photo ?? prepared });
  });

  function scored(row) {
    return row.score === null ? 0 : 1;
  }

  // Text gets into the page here alone, and only as text.
  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function number(count, one, many = `${one}s`) {
    return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
  }

  function score(row) {
    return row.score === null ? "" : row.score.toFixed(2);
  }

  // ---- thumbnails: images are made when they come into view ----

  function image(thumbnail) {
    return thumbnail?.webp
      ? element("img", { src: `data:image/webp;base64,${thumbnail.webp}`, alt: "", decoding: "async" })
      : element("span", { className: "instead" }, thumbnail ? "cannot be shown" : "no thumbnail");
  }

  function watcher() {
    return new IntersectionObserver((entries, observer) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        observer.unobserve(entry.target);
        fill(entry.target);
      }
    }, { rootMargin: "400px" });
  }

  function fill(thumbnail) {
    if (!thumbnail.firstChild) {
      thumbnail.append(image(thumbnail.item.image));
    }
  }

  function card(item, observer, described, open) {
    const thumbnail = element("span", { className: "thumbnail", item });
    observer.observe(thumbnail);
    const name = item.row.name;
    const button = element("button", { type: "button", className: "card", title: name, onclick: open });
    button.append(thumbnail);
    if (described) {
      button.append(caption(item.row));
    } else {
      button.setAttribute("aria-label", `${name}, ${WORDS[item.row.status]}`);
      if (item.row.status !== "done") {
        button.append(element("span", { className: `status ${item.row.status}` }, WORDS[item.row.status]));
      }
    }
    return element("li", {}, button);
  }

  function statusLine(row) {
    const told = score(row) && ` \u00b7 score ${score(row)}`;
    return element("span", {}, element("span", { className: `status ${row.status}` }, WORDS[row.status]), told);
  }

  // A message begins with the photo's path, which a card has no room to say twice.
  function cause({ name, message }) {
    const at = message.indexOf(name);
    return at < 0 ? message : message.slice(at + name.length).trim();
  }

  function caption(row) {
    const parts = [element("span", { className: "name" }, row.name), statusLine(row)];
    if (row.message) {
      parts.push(element("span", { className: "message" }, cause(row)));
    }
    return element("span", { className: "caption" }, ...parts);
  }

  addEventListener("beforeprint", () => document.querySelectorAll(".thumbnail").forEach(fill));

  // ---- the head: counts, tables, histogram ----

  function counts() {
    const told = [["photos", rows.length], ...data.statuses.map(([status, count]) => [WORDS[status], count])];
    $("counts").append(...told.map(([name, count]) => element("div", {},
      element("dt", {}, name), element("dd", {}, count.toLocaleString("en")))));
  }

  function table({ title, cells, instead }) {
    if (!cells) {
      return element("p", {}, instead);
    }
    const [head, ...body] = cells;
    const line = ([first, ...others], tag) => element("tr", {},
      element("th", { scope: tag === "th" ? "col" : "row" }, first),
      ...others.map((cell) => element(tag, tag === "th" ? { scope: "col" } : {}, cell)));
    const made = element("table", {}, element("caption", {}, title),
      element("thead", {}, line(head, "th")),
      element("tbody", {}, ...body.map((cells) => line(cells, "td"))));
    const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title }, made);
    return scroll;
  }

  function drawn(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    made.append(...children);
    return made;
  }

  function histogram() {
    const bins = data.histogram;
    const total = bins.reduce((sum, count) => sum + count, 0);
    const place = $("histogram");
    if (!total) {
      place.append(element("p", { className: "quiet" }, "No photo has a score."));
      return;
    }
    const bounds = bins.map((_, bin) => [bin, bin + 1].map((bound) => (bound / bins.length).toFixed(2)).join("\u2013"));
    const most = bins.indexOf(Math.max(...bins));
    const told = `Scores of ${number(total, "hand")}, most of them (${bins[most]}) at ${bounds[most]}.`;
    const cells = [["score", "photos"], ...bins.map((count, bin) => [bounds[bin], String(count)])];
    place.append(
      element("h3", {}, "Scores"),
      chart(bins, bounds, told),
      element("details", {}, element("summary", {}, "The same as numbers"), table({ title: "Scores", cells })));
  }

  function chart(bins, bounds, told) {
    const [width, height, foot, head] = [600, 180, 22, 16];
    const step = width / bins.length;
    const highest = Math.max(...bins);
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told });
    bins.forEach((count, bin) => {
      const tall = count && Math.max(2, (count / highest) * (height - foot - head)); // one photo is seen, too
      const top = height - foot - tall;
      svg.append(drawn("rect", { class: "column", x: bin * step + 1, y: top, width: step - 2, height: tall },
        drawn("title", {}, `${bounds[bin]}: ${number(count, "photo")}`)));
      if (count) {
        const text = count < 10000 ? String(count) : `${Math.round(count / 1000)}k`;
        svg.append(drawn("text", { x: (bin + 0.5) * step, y: top - 4 }, text));
      }
    });
    svg.append(drawn("line", { class: "axis", x1: 0, x2: width, y1: height - foot, y2: height - foot }));
    for (let tenth = 0; tenth <= 10; tenth += 2) {
      const x = Math.min(width - 8, Math.max(8, (tenth / 10) * width));
      svg.append(drawn("text", { x, y: height - 6 }, (tenth / 10).toFixed(1)));
    }
    return svg;
  }

  // ---- the list: filters, order, pages ----

  const list = { items: [], page: 0, observer: watcher() };

  function choices() {
    for (const [id, names] of [["origin", data.origins], ["label", data.labels]]) {
      $(id).append(element("option", { value: "" }, "all"),
        ...names.map((name, index) => element("option", { value: String(index) }, name)));
    }
    $("look").append(element("option", { value: "" }, "all"),
      ...Object.entries(LOOKS).map(([value, [fits, text]]) => {
        const count = rows.filter(fits).length.toLocaleString("en");
        const bound = value === "doubtful" ? ` ${data.doubtful}` : "";
        return element("option", { value }, `${text}${bound} (${count})`);
      }));
    const toLookAt = rows.some((row) => row.status !== "done");
    $("statuses").append(...data.statuses.map(([status, count]) => {
      const box = element("input", { type: "checkbox", name: "status", value: status });
      box.checked = box.defaultChecked = (status !== "done") === toLookAt;
      box.disabled = !count;
      return element("label", {}, box, ` ${WORDS[status]} (${count.toLocaleString("en")})`);
    }));
  }

  function matching() {
    const wanted = new Set([...document.querySelectorAll("[name=status]:checked")].map((box) => box.value));
    const [origin, label] = [$("origin").value, $("label").value];
    const name = $("name").value.toLowerCase();
    const [fits] = LOOKS[$("look").value] || [() => true];
    return rows.filter((row) => wanted.has(row.status) && fits(row)
      && (origin === "" || row.origin === Number(origin))
      && (label === "" || row.label === Number(label))
      && (name === "" || row.name.toLowerCase().includes(name)));
  }

  function lookAt() {
    const done = document.querySelector("[name=status][value=done]");
    done.checked = done.checked || $("look").value !== ""; // all of these are done
    update();
  }

  function update() {
    const found = matching().sort(BY[$("order").value]);
    list.items = found.map((row) => ({ row, image: row.image }));
    const without = found.filter((row) => !row.image).length;
    $("without").textContent = without
      ? `${without.toLocaleString("en")} of these have no thumbnail, so that this page stays small. `
        + "Those that do: photos without a found hand, the lowest scores, and what is on contact sheets."
      : "";
    turnTo(0);
    if ($("order").value.endsWith("-score") && found.length && !found.some(scored)) {
      $("shown").append(". None of them has a score.");
    }
  }

  function turnTo(page) {
    const pages = Math.max(1, Math.ceil(list.items.length / ON_A_PAGE));
    list.page = Math.min(Math.max(page, 0), pages - 1);
    const first = list.page * ON_A_PAGE;
    const shown = list.items.slice(first, first + ON_A_PAGE);
    list.observer.disconnect();
    $("list").replaceChildren(...shown.map((item, index) =>
      card(item, list.observer, true, () => view(list.items, first + index, backToList))));
    $("shown").textContent = shown.length
      ? `${number(list.items.length, "photo")}, ${first + 1}\u2013${first + shown.length} shown`
      : "No photo is like that.";
    $("page-number").textContent = `Page ${list.page + 1} of ${pages}`;
    $("previous-page").disabled = list.page === 0;
    $("next-page").disabled = list.page === pages - 1;
    $("pages").hidden = pages === 1;
  }

  function turn(by) {
    turnTo(list.page + by);
    $("photos").scrollIntoView();
    $("photos").focus({ preventScroll: true });
  }

  function backToList(index) {
    const page = Math.floor(index / ON_A_PAGE);
    if (page !== list.page) {
      turnTo(page);
    }
    $("list").children[index % ON_A_PAGE].firstChild.focus();
  }

  // ---- contact sheets ----

  function sheets() {
    const observer = watcher();
    const side = $("side").checked ? "photo" : "prepared";
    $("all-sheets").replaceChildren();
    for (const { label, total, rows: shown } of data.sheets) {
      const all = shown.map((index) => ({ row: rows[index], image: rows[index][side] }));
      const cards = element("ul", { className: "cards small" });
      const back = (index) => cards.children[index].firstChild.focus();
      cards.append(...all.map((item, index) => card(item, observer, false, () => view(all, index, back))));
      const told = all.length < total ? `${all.length} of ${total.toLocaleString("en")}` : String(total);
      $("all-sheets").append(element("h3", {}, label, ` (${told})`), cards);
    }
    if (!data.sheets.length) {
      $("all-sheets").append(element("p", {}, "No image was prepared."));
    }
  }

  // ---- one photo, large ----

  const viewer = { items: [], index: 0, back: () => {} };

  function view(items, index, back) {
    Object.assign(viewer, { items, back });
    show(index);
    $("viewer").showModal();
  }

  function show(index) {
    viewer.index = Math.min(Math.max(index, 0), viewer.items.length - 1);
    const { row } = viewer.items[viewer.index];
    $("viewer-name").textContent = row.name;
    $("viewer-photo").replaceChildren(image(row.photo), ...hand(row.photo));
    $("viewer-prepared").replaceChildren(image(row.prepared));
    $("viewer-prepared").parentElement.hidden = !row.output;
    const own = [row.photo?.problem, row.prepared?.problem].filter((problem) => problem && problem !== row.message)
      .map((problem) => `An image cannot be shown: ${problem}`);
    $("viewer-message").textContent = [row.message, ...own].filter(Boolean).join(" \u2013 ");
    $("viewer-facts").replaceChildren(...facts(row));
    $("viewer-output").hidden = !row.output;
    $("viewer-output").setAttribute("href", row.output);
    $("viewer-number").textContent = `${viewer.index + 1} of ${viewer.items.length}`;
    $("previous").disabled = viewer.index === 0;
    $("next").disabled = viewer.index === viewer.items.length - 1;
  }

  // A hand's bones, or its box, in an SVG that lies over the photo. Numbers are thousandths of the photo's width.
  function hand({ points, height } = {}) {
    if (!points) {
      return [];
    }
    const at = (index) => points.slice(2 * index, 2 * index + 2);
    const boxed = points.length === 4;
    const [[left, top], [right, bottom]] = [at(0), at(1)];
    const lines = boxed
      ? [["palm", `M${left} ${top}H${right}V${bottom}H${left}Z`]]
      : data.bones.map(([from, to]) => [finger(from, to), `M${at(from)}L${at(to)}`]);
    const paths = (kind) => lines.map(([name, d]) => drawn("path", { class: kind || name, d }));
    return [drawn("svg", { class: "hand", viewBox: `0 0 1000 ${height}`, "aria-hidden": "true" },
      ...paths("halo"), ...paths())];
  }

  function finger(from, to) {
    return to === from + 1 && from > 0 ? `finger${Math.floor((from - 1) / 4)}` : "palm";
  }

  function facts(row) {
    const told = [
      ["status", WORDS[row.status]], ["score", score(row)],
      ["mask confidence", row.mask === null ? "" : row.mask.toFixed(2)], ["found in view", row.view], ["hand", row.handedness],
      ["origin", data.origins[row.origin]], ["class", data.labels[row.label]],
      ["time", `${Math.round(row.milliseconds).toLocaleString("en")} ms`],
    ];
    return told.filter(([, value]) => value)
      .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  }

  function onKey(event) {
    const to = { ArrowLeft: viewer.index - 1, ArrowRight: viewer.index + 1, Home: 0, End: viewer.items.length - 1 };
    if ($("viewer").open && event.key in to && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      show(to[event.key]);
    }
  }

  // ---- what it was made with, and all together ----

  function made() {
    $("pipeline").textContent = data.pipeline.text;
    $("json").textContent = data.pipeline.json;
    const told = [["fingerprint", data.pipeline.fingerprint], ...data.versions];
    $("versions").append(...told.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  }

  function listen() {
    for (const id of ["statuses", "origin", "label", "order"]) {
      $(id).addEventListener("change", update);
    }
    $("name").addEventListener("input", update); // its change, on leaving it, would only turn back to page 1
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("look").addEventListener("change", lookAt);
    $("side").addEventListener("change", sheets);
    $("drawn").addEventListener("change", () => $("viewer-photo").classList.toggle("plain", !$("drawn").checked));
    $("previous-page").addEventListener("click", () => turn(-1));
    $("next-page").addEventListener("click", () => turn(1));
    $("previous").addEventListener("click", () => show(viewer.index - 1));
    $("next").addEventListener("click", () => show(viewer.index + 1));
    $("close").addEventListener("click", () => $("viewer").close());
    addEventListener("keydown", onKey); // not the dialog's alone: a button that is disabled loses the focus
    $("viewer").addEventListener("close", () => viewer.back(viewer.index));
    $("viewer").addEventListener("click", (event) => event.target === $("viewer") && $("viewer").close());
  }

  counts();
  $("tables").append(...data.tables.map(table));
  histogram();
  choices();
  update();
  sheets();
  made();
  listen();
})();
