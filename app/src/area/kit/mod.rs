//! The components, for those who build pages: what is not seen often elsewhere. Not linked from
//! the navigation. Its words are samples, in Chinese as in the mock pages, not part of the portal.

use crate::{
    error::{ApiError, ErrorCode},
    pages::page,
    routes,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, path};
use lingbao_model::msg::Msg;

/// Where the pages are.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/kit"), Kit)]
}

#[component]
fn Kit() -> impl IntoView {
    let crumbs = vec![("工作台".to_owned(), routes::HOME.to_owned())];
    view! {
        <PageHead title="组件与状态" fact="供开发对照，数字皆为样例。" crumbs/>
        <div class="cols-even kit-grid">
            <Panel title="按钮" pad=true>
                <div class="acts kit">
                    <Button kind=Kind::Main>"主要"</Button>
                    <Button>"次要"</Button>
                    <Button kind=Kind::Bare>"轻量"</Button>
                    <Button kind=Kind::Bad>"危险"</Button>
                    <Button disabled=true>"不可用"</Button>
                    <Button size=Size::Small>"小号"</Button>
                    <LinkButton href="/kit" icon="print">"打印"</LinkButton>
                </div>
            </Panel>
            <Panel title="时限灯" pad=true>
                <p class="kit-l">
                    <Lamp light=Light::Green text="剩 2 个工作日"/>
                    <Lamp light=Light::Near text="剩 3 小时"/>
                    <Lamp light=Light::Yellow text="黄牌，超 4 小时"/>
                    <Lamp light=Light::Red text="红牌，超 2 天"/>
                    <Lamp light=Light::Off text="计时已停"/>
                </p>
            </Panel>
            <Panel title="状态" pad=true>
                <p class="kit-l">
                    {[
                        (Look::Draft, "草稿"),
                        (Look::Wait, "待审批"),
                        (Look::Run, "开通中"),
                        (Look::Act, "退回补正"),
                        (Look::Ok, "使用中"),
                        (Look::Bad, "开通失败"),
                        (Look::Stop, "已释放"),
                        (Look::Pause, "挂起"),
                    ]
                        .map(|(look, text)| view! { <Chip look text boxed=true/> })
                        .into_iter()
                        .collect_view()} <Tag text="信创" accent=true/>
                </p>
            </Panel>
            <Panel title="配额条" pad=true>
                <QuotaLine label="处理器" unit="核" amounts=Amounts { limit: 64, used: 36, held: 4, now: 16 }/>
                <QuotaLine label="月费用" unit="元" amounts=Amounts { limit: 40_000, used: 21_380, held: 960, now: 15_550 }/>
                <QuotaLine label="弹性 IP" unit="个" amounts=Amounts { limit: 4, used: 2, held: 1, now: 2 }/>
                <div class="keyline">
                    <QuotaKey with_now=true/>
                </div>
            </Panel>
            <Panel title="进度" pad=true>
                <Track steps=vec![
                    TrackStep { stage: Stage::Was, title: "提交".into(), detail: "张三".into_any() },
                    TrackStep { stage: Stage::Now, title: "会签".into(), detail: "今天 17:30".into_any() },
                    TrackStep { stage: Stage::Next, title: "开通".into(), detail: "约 20 分钟".into_any() },
                ]/>
                <MiniTrack stages=vec![Stage::Was, Stage::Was, Stage::Act, Stage::Next]/>
                <div class="sec-5">
                    <Timeline events=vec![
                        Event { shape: "ok", title: "李四 同意".into_any(), when: "9月20日 08:52".into(), say: "请尽快".into() },
                        Event { shape: "run", title: "开通".into_any(), when: "9月20日 15:20".into(), say: String::new() },
                    ]/>
                </div>
            </Panel>
            <Panel title="表单" pad=true>
                <form method="get">
                    <Field name="host" label="主机名" hint="小写字母、数字、连字符，3–32 位">
                        <TextInput value="tj-app-03" width=Width::M/>
                    </Field>
                    <Field name="band" label="带宽">
                        <TextInput value="" width=Width::Xs/>
                    </Field>
                    <Field name="os" label="操作系统" optional=true>
                        <Select options=vec![("k".into(), "银河麒麟 V10".into()), ("u".into(), "统信 UOS 20".into())] width=Width::M/>
                    </Field>
                    <Field name="cpu" label="处理器">
                        <NumberStepper label="处理器" unit="核" value=8 max=64/>
                    </Field>
                    <FieldSet name="arch" legend="架构">
                        <Seg name="arch" value="x" options=vec![("k".into(), "鲲鹏".into()), ("x".into(), "通用".into())]/>
                    </FieldSet>
                    <FieldSet name="zone" legend="网络区域">
                        <Choices>
                            <Choice name="zone" value="a" title="公共服务区" note="余 412 核" checked=true/>
                            <Choice name="zone" value="b" title="互联网区" note="三级数据不放互联网区" disabled=true/>
                        </Choices>
                    </FieldSet>
                    <Field name="why" label="事由">
                        <TextArea value="第五次全国经济普查 <数据采集>"/>
                    </Field>
                    <Check name="agree" checked=true>"我已核对"</Check>
                    <Phrases name="op" value="a" options=vec![("a".into(), "同意".into()), ("b".into(), "请补充材料".into())]/>
                </form>
            </Panel>
            <Panel title="空">
                <Empty title="还没有申请" note="从模板开始最快。" act=view! { <LinkButton href="/kit" kind=Kind::Main>"看服务目录"</LinkButton> }.into_any()/>
            </Panel>
            <Panel title="出错，但别的照常" pad=true>
                <ErrorBanner error=ApiError {
                    request_id: Some("r-7K2Q".into()),
                    ..ApiError::new(ErrorCode::Unavailable, Msg::new("error.internal"))
                }/>
                <Banner tone=Tone::Ok>"已提交，单号 ZWY-20260918-0007。"</Banner>
                <Banner tone=Tone::Warn>"互联网区 10:20 起暂时读不到实时状态。"</Banner>
                <p>"本月费用 "<Wait/></p>
                <div>"使用率 14.6% "<Definition of="使用率" formula="= 近 30 天 CPU 均值加权 ÷ 已分配" source="5 分钟采样，每日 2 点更新。"/></div>
            </Panel>
            <Panel title="图">
                <div class="panel-pad">
                    <Bars bars=vec![
                        Bar { name: "市卫健委".into(), value: 412, text: "412 万元".into() },
                        Bar { name: "市统计局".into(), value: 64, text: "64 万元".into() },
                    ]/>
                    <Ring middle="594" unit="个系统" parts=vec![
                        Bar { name: "正常".into(), value: 78, text: "78".into() },
                        Bar { name: "低效".into(), value: 494, text: "494".into() },
                        Bar { name: "高负载".into(), value: 22, text: "22".into() },
                    ]/>
                    <Plot
                        label="近三个月由 11,820 升到 13,294 台"
                        axis=vec!["7月".into(), "8月".into(), "9月".into()]
                        lines=vec![Line {
                            name: "全部".into(),
                            values: vec![11_820, 12_610, 13_294],
                            texts: vec!["11,820".into(), "12,610".into(), "13,294".into()],
                        }]
                    />
                </div>
            </Panel>
            <PricePanel label="价格、配额与结论">
                <PricePart title="本次选配" live=true>
                    <Sum amount=Signal::stored("2,152.00".to_owned()) unit="元/月" note=Signal::stored("25,824.00 元/年".to_owned())/>
                </PricePart>
                <PricePart>
                    <PriceLines caption="价格组成" lines=Signal::stored(vec![
                        ("处理器 8 核 × 52.00".to_owned(), "416.00".to_owned(), false),
                        ("单台".to_owned(), "1,076.00".to_owned(), true),
                    ])/>
                </PricePart>
                <PricePart>
                    <Verdict tone=Tone::Ok title="可以提交，配额内">"3 个环节，预计 9月22日 17:30 前办结。"</Verdict>
                    <Verdict tone=Tone::Warn title="规格可能偏大">"改 6 核，每月省 208.00 元。"</Verdict>
                </PricePart>
                <PricePart>
                    <Button kind=Kind::Main size=Size::Wide>"加入清单"</Button>
                </PricePart>
            </PricePanel>
        </div>
        <Section title="表格" sub="窄屏时每行成块">
            <TableBox>
                <FilterBar action=routes::KIT active=true>
                    <Find label="搜索" placeholder="名称、地址、拼音首字母"/>
                    <FilterSelect name="state" label="状态" options=vec![(String::new(), "全部".into()), ("ok".into(), "使用中".into())]/>
                </FilterBar>
                <Table
                    caption="样例资源"
                    columns=vec![
                        col("名称").sorted("name", "name", routes::KIT, &[]),
                        col("状态"),
                        col("费用 元/月").class("num").sorted("price", "name", routes::KIT, &[]),
                    ]
                >
                    <Row>
                        <RowHead name="tj-mlk-app" href="/kit" sub="名录库查询系统"/>
                        <Cell l="状态"><Chip look=Look::Ok text="使用中"/></Cell>
                        <Cell l="费用 元/月" class="num">"398.00"</Cell>
                    </Row>
                    <Row on=true child=true>
                        <RowHead name="tj-mlk-disk" sub="挂 tj-mlk-app"/>
                        <Cell l="状态"><Chip look=Look::Stop text="已停机"/></Cell>
                        <Cell l="费用 元/月" class="num">"280.00"</Cell>
                    </Row>
                </Table>
                <Pager total=Total::Exact(46) next="/kit?after=x".to_owned()/>
            </TableBox>
        </Section>
    }
}
